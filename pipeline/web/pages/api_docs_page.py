"""The description of the REST interface: Swagger UI from an installed package, offline and without inline scripts."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from pipeline.web.rendering import html
from pipeline.web.security import HEADERS
from pipeline.web.studio import Studio

POLICY = "content-security-policy"
PACKAGE = "fastapi_offline"  # only for the files that it ships


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page to `app`."""
    router = APIRouter(include_in_schema=False)
    assets = _assets()
    if assets:
        app.mount("/api/assets", StaticFiles(directory=assets))

    @router.get("/api/docs")
    def docs() -> HTMLResponse:
        page = html("api_docs", tab="/api/docs", assets=bool(assets))
        # Swagger UI draws its arrows and locks from data: addresses in its own style sheet
        page.headers[POLICY] = HEADERS[POLICY].replace("img-src 'self'", "img-src 'self' data:")
        return page

    app.include_router(router)


def _assets() -> Path | None:
    """The folder with the files of Swagger UI; None if the package is not installed."""
    found = find_spec(PACKAGE)
    folder = Path(found.origin).parent / "static" if found and found.origin else None
    return folder if folder and folder.is_dir() else None
