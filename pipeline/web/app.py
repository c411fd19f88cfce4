"""The web application: the routes of all pages, behind the checks of `security`."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from pipeline.web.api import datasets_api, definitions_api, settings_api
from pipeline.web.dataset_paths import Site
from pipeline.web.http_errors import add_error_handlers
from pipeline.web.pages import dataset_settings_page, definitions_page, home_page, label_page, new_page
from pipeline.web.security import AccessRules, SecurityMiddleware
from pipeline.web.studio import Studio

VERSION = "1"  # of the REST interface: its addresses begin with /api/v1
STATIC = Path(__file__).parent / "static"
ROUTES = (
    home_page,
    new_page,
    label_page,
    dataset_settings_page,
    definitions_page,
    datasets_api,
    settings_api,
    definitions_api,
)


class RevalidatedFiles(StaticFiles):
    """Scripts and styles, which the browser caches and revalidates each time, because they change with the version."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """The file, or status 304 if the browser has it."""
        response = super().file_response(*arguments, **keywords)
        response.headers["cache-control"] = "no-cache"
        return response


def make_app(site: Site, access_rules: AccessRules, *, first: str = "") -> SecurityMiddleware:
    """Make the ASGI application; loads the dataset `first` in a thread while the browser starts."""
    app = FastAPI(title="ganmill", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    studio = Studio(site, access_rules)
    app.mount("/static", RevalidatedFiles(directory=STATIC))
    add_error_handlers(app)
    for module in ROUTES:
        module.add_routes(app, studio)
    if first:
        studio.preload(first)
    return SecurityMiddleware(app, access_rules)
