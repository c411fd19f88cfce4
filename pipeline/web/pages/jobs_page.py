"""The page of the queue: what runs, what waits and for what, and what was. Its script asks the REST interface."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.rendering import html
from pipeline.web.studio import Studio


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page to `app`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/jobs")
    def jobs() -> HTMLResponse:
        return html("jobs", tab="/jobs")

    app.include_router(router)
