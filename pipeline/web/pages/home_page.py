"""The home page: a card for each dataset, and the archive."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from pipeline.web.datasets.card_pictures import card_picture, picture_bytes
from pipeline.web.datasets.dataset_archives import list_archives
from pipeline.web.datasets.dataset_cards import STATES
from pipeline.web.rendering import html
from pipeline.web.studio import Studio

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # the address changes with the picture


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the home page to `app`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home() -> HTMLResponse:
        cards = studio.cards.all(studio.site)
        return html("home", cards=cards, states=STATES, archives=list_archives(studio.site.data), tab="/")

    @router.get("/cards/{dataset}.png")
    def picture(dataset: str) -> Response:
        found = card_picture(studio.paths(dataset))
        try:
            data = picture_bytes(found) if found else b""
        except (OSError, ValueError):
            data = b""
        if not data:
            raise HTTPException(404, "there is no picture of this dataset that can be read")
        return Response(data, media_type="image/png", headers=IMMUTABLE)

    app.include_router(router)
