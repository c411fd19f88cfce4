"""The web application: the routes of all pages, behind the checks of `security`."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from pipeline.web.api import races_api
from pipeline.web.dataset_paths import Site
from pipeline.web.http_errors import add_error_handlers
from pipeline.web.pages import home_page, label_page, races_page, vote_page
from pipeline.web.races.tile_painter import Draw
from pipeline.web.security import AccessRules, SecurityMiddleware
from pipeline.web.studio import Studio

VERSION = "1"  # of the REST interface: its addresses begin with /api/v1
STATIC = Path(__file__).parent / "static"
ROUTES = (home_page, label_page, races_api, races_page, vote_page)


class RevalidatedFiles(StaticFiles):
    """Scripts and styles, which the browser caches and revalidates each time, because they change with the version."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """The file, or status 304 if the browser has it."""
        response = super().file_response(*arguments, **keywords)
        response.headers["cache-control"] = "no-cache"
        return response


def make_app(site: Site, access_rules: AccessRules, *, first: str = "", draw: Draw | None = None) -> SecurityMiddleware:
    """Make the ASGI application; loads the dataset `first` in a thread while the browser starts."""
    app = FastAPI(title="ganmill", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    studio = Studio(site, access_rules, draw=draw)
    app.state.races = studio.races
    app.mount("/static", RevalidatedFiles(directory=STATIC))
    add_error_handlers(app)
    for module in ROUTES:
        module.add_routes(app, studio)
    if first:
        studio.preload(first)
    return SecurityMiddleware(app, access_rules, opens=studio.races.opens)
