"""The web application: the routes of all pages, behind the checks of `security`."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from pipeline.web.api import (
    comparison_api,
    datasets_api,
    definitions_api,
    gan_model_api,
    job_files_api,
    jobs_api,
    labels_api,
    progress_api,
    races_api,
    runs_api,
    sample_api,
    settings_api,
    styles_api,
    trace_api,
    trainings_api,
)
from pipeline.web.dataset_paths import Site
from pipeline.web.http_errors import add_error_handlers
from pipeline.web.monitoring import probes
from pipeline.web.openapi import describe
from pipeline.web.pages import (
    api_docs_page,
    compare_page,
    dataset_settings_page,
    definitions_page,
    filter_page,
    gallery_page,
    home_page,
    jobs_page,
    label_page,
    new_page,
    overview_page,
    races_page,
    reports_page,
    runs_page,
    samples_page,
    styles_page,
    vote_page,
)
from pipeline.web.races.tile_painter import Draw
from pipeline.web.rendering import STATIC
from pipeline.web.security import AccessRules, SecurityMiddleware
from pipeline.web.shared_answers import SharedAnswers
from pipeline.web.studio import Studio

VERSION = "1"  # of the REST interface: its addresses begin with /api/v1
PAGES = (
    home_page,
    new_page,
    jobs_page,
    api_docs_page,
    definitions_page,
    overview_page,
    label_page,
    filter_page,
    gallery_page,
    samples_page,
    runs_page,
    compare_page,
    dataset_settings_page,
    races_page,
    reports_page,
    styles_page,
    vote_page,
)
REST = (
    comparison_api,
    datasets_api,
    definitions_api,
    gan_model_api,
    job_files_api,
    jobs_api,
    labels_api,
    progress_api,
    races_api,
    runs_api,
    sample_api,
    settings_api,
    styles_api,
    trace_api,
    trainings_api,
)


class RevalidatedFiles(StaticFiles):
    """Scripts and styles, which the browser caches and revalidates each time, because they change with the version."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """The file, or status 304 if the browser has it."""
        response = super().file_response(*arguments, **keywords)
        response.headers["cache-control"] = "no-cache"
        return response


def make_app(site: Site, access_rules: AccessRules, *, first: str = "", draw: Draw | None = None) -> SecurityMiddleware:
    """Make the ASGI application; loads the dataset `first` in a thread while the browser starts."""
    return app_of(Studio(site, access_rules, draw=draw), first=first)


def app_of(studio: Studio, *, first: str = "") -> SecurityMiddleware:
    """The same for a `studio` that is there."""
    app = FastAPI(title="ganmill", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.mount("/static", RevalidatedFiles(directory=STATIC))
    add_error_handlers(app)
    for module in (*PAGES, *REST, probes):
        module.add_routes(app, studio)
    describe(app)
    if first:
        studio.preload(first)
    return SecurityMiddleware(
        SharedAnswers(app), studio.access_rules, opens=lambda path: probes.is_open(path) or studio.races.opens(path)
    )
