"""The settings of a dataset: a form of all of them; its script asks for the values, which another process knows."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.rendering import html
from pipeline.web.setting_fields import setting_groups
from pipeline.web.settings_process import REMEMBERED
from pipeline.web.studio import Studio


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page of settings to `app`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/d/{dataset}/settings")
    def page(dataset: str) -> HTMLResponse:
        studio.paths(dataset)
        return html("settings", dataset=dataset, tab="settings", groups=setting_groups(), remembered=REMEMBERED)

    app.include_router(router)
