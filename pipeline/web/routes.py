"""The HTTP routes: each request is validated and passed to the `DatasetView` of its dataset."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pipeline.errors import UserError, of_system
from pipeline.option_types import nearest
from pipeline.web import views
from pipeline.web.dataset_paths import Site
from pipeline.web.dataset_view import DatasetView, NoSquares, UnknownPictures
from pipeline.web.label_sync import LabelEdit, count_labels
from pipeline.web.picture_index import PictureIndex
from pipeline.web.security import AccessRules, SecurityMiddleware
from pipeline.web.thumbnails import original, thumbnail

TEMPLATES = Environment(loader=PackageLoader("pipeline.web"), autoescape=select_autoescape(default=True))
STATIC = Path(__file__).parent / "static"
IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # a square's address contains its hash
MAX_PER_PAGE = 200  # squares on one page
BATCH = 60  # suggestions at once: a few minutes of labelling

Id = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Label = Literal["on", "off", "unsure"] | None
VIEW_NAMES, SORT_NAMES = ("next", *views.VIEWS), ("", *views.SORTS)
View = Literal[VIEW_NAMES]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
Sort = Literal[SORT_NAMES]  # type: ignore[valid-type]  # as above
Until = Literal["filter", ""]


class StrictBody(BaseModel):
    """The base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LabelEditBody(StrictBody):
    """One label edit as the browser sends it."""

    id: Id
    label: Label
    previous: list[Label] = Field(min_length=1, max_length=8)


class LabelEditsBody(StrictBody):
    """Label edits in the order in which they were made."""

    labels: list[LabelEditBody] = Field(min_length=1, max_length=1000)


class IdsBody(StrictBody):
    """Squares that the browser asks about."""

    ids: list[Id] = Field(max_length=MAX_PER_PAGE)


class RunBody(StrictBody):
    """The last stage of a run; empty for all stages."""

    until: Until


class EmptyBody(StrictBody):
    """A request without parameters."""


class DatasetViews:
    """The views of all datasets, created on the first request."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._open: dict[str, DatasetView] = {}
        self._lock = threading.Lock()

    def __call__(self, dataset: str) -> DatasetView:
        """The view of an existing dataset; status 404 for any other name."""
        if dataset not in (names := self.site.datasets()):
            advice = nearest(dataset, names) if names else "nothing has run yet"
            raise HTTPException(404, f"there is no such dataset; {advice}")
        with self._lock:
            if dataset not in self._open:
                self._open[dataset] = DatasetView(self.site.paths(dataset), self.site.command)
            return self._open[dataset]


class RevalidatedFiles(StaticFiles):
    """Scripts and styles, which the browser caches and revalidates each time, because they change with the version."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """The file, or status 304 if the browser has it."""
        response = super().file_response(*arguments, **keywords)
        response.headers["cache-control"] = "no-cache"
        return response


def make_app(site: Site, access_rules: AccessRules, *, first: str = "") -> SecurityMiddleware:
    """Make the ASGI application; loads the dataset `first` in a thread while the browser starts."""
    app = FastAPI(title="ganmill", docs_url=None, redoc_url=None, openapi_url=None)
    dataset_views = DatasetViews(site)
    app.mount("/static", RevalidatedFiles(directory=STATIC))
    _add_error_handlers(app)
    _add_pages(app, dataset_views)
    _add_reading(app, dataset_views)
    _add_pictures(app, dataset_views)
    _add_changing(app, dataset_views)
    if first:
        threading.Thread(target=_preload, args=(dataset_views, first), daemon=True, name="warm").start()
    return SecurityMiddleware(app, access_rules)


def _preload(dataset_views: DatasetViews, dataset: str) -> None:
    with suppress(UserError, OSError, HTTPException):  # the page shows what is wrong
        dataset_view = dataset_views(dataset)
        dataset_view.suggestions.features(dataset_view.index())


def _add_pages(app: FastAPI, dataset_views: DatasetViews) -> None:
    @app.get("/")
    def home() -> HTMLResponse:
        rows = [_row(name, dataset_views(name)) for name in dataset_views.site.datasets()]
        return _html("home", datasets=rows)

    @app.get("/d/{dataset}/")
    def page(dataset: str) -> HTMLResponse:
        found = dataset_views(dataset).index()
        return _html("page", dataset=dataset, pictures=len(found.pictures), problem=found.problem, batch=BATCH)


def _html(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(TEMPLATES.get_template(f"{name}.html.jinja").render(**values), status)


def _row(name: str, dataset_view: DatasetView) -> dict[str, object]:
    index, (labels, problem) = dataset_view.index(), dataset_view.label_sync.readable_labels()
    problem = problem or index.problem
    return {"name": name, "pictures": len(index.pictures), "labels": count_labels(labels), "problem": problem}


def _add_reading(app: FastAPI, dataset_views: DatasetViews) -> None:
    @app.get("/d/{dataset}/pictures")
    def pictures(
        dataset: str,
        view: View = "next",
        sort: Sort = "",
        source: Annotated[str, Query(max_length=2000)] = "",
        order: Annotated[str, Query(max_length=40)] = "",
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        count: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = MAX_PER_PAGE,
    ) -> dict:
        dataset_view = dataset_views(dataset)
        if view == "next":
            return dataset_view.next_batch(count)
        return dataset_view.page(view=view, sort=sort, source=source, order=order, start=start, count=count)

    @app.get("/d/{dataset}/summary")
    def summary(dataset: str, source: Annotated[str, Query(max_length=2000)] = "") -> dict:
        return dataset_views(dataset).summary(source)

    @app.get("/d/{dataset}/changes")
    def changes(dataset: str, since: Annotated[str, Query(max_length=60)] = "") -> dict:
        return dataset_views(dataset).changes(since)


def _add_pictures(app: FastAPI, dataset_views: DatasetViews) -> None:
    @app.get("/d/{dataset}/square/{id}")
    async def square(dataset: str, id: str) -> Response:
        dataset_view = dataset_views(dataset)
        if index := dataset_view.index_cache.if_current():  # without a thread, as a page has a hundred squares
            if found := _square(index, id):
                return found
            dataset_view.index_cache.invalidate()  # the square may be in another folder now
        if found := _square(await run_in_threadpool(dataset_view.index), id):
            return found
        raise HTTPException(404, "there is no such square")

    @app.get("/d/{dataset}/original/{id}")
    async def original_picture(dataset: str, id: str) -> Response:
        dataset_view = dataset_views(dataset)
        index = await run_in_threadpool(dataset_view.index)
        if id not in index.by_id:
            raise HTTPException(404, "there is no such square")
        if found := original(id, raw=dataset_view.paths.folder / "raw", download=index.download):
            path, kind = found
            return FileResponse(path, media_type=kind, headers=IMMUTABLE)
        return await square(dataset, id)


def _square(index: PictureIndex, id: str) -> Response | None:
    found, squares = index.by_id.get(id), index.squares
    if found is None or squares is None:
        return None
    try:
        data, kind = thumbnail(squares / found.square, squares)
    except (OSError, ValueError):
        return None
    return Response(data, media_type=kind, headers=IMMUTABLE)


def _add_changing(app: FastAPI, dataset_views: DatasetViews) -> None:
    @app.post("/d/{dataset}/labels")
    def labels(dataset: str, body: LabelEditsBody) -> dict:
        label_edits = [
            LabelEdit(id=edit.id, label=edit.label, previous=frozenset(edit.previous)) for edit in body.labels
        ]
        result = dataset_views(dataset).edit_labels(label_edits)
        refused = [{"id": conflict.id, "label": conflict.label, "now": conflict.now} for conflict in result.refused]
        return {"labels": result.labels, "refused": refused, "written": result.written, "revision": result.revision}

    @app.post("/d/{dataset}/lookup")
    def lookup(dataset: str, body: IdsBody) -> dict:
        return dataset_views(dataset).facts(body.ids)

    @app.post("/d/{dataset}/plan")
    def plan(dataset: str, body: RunBody) -> list[dict[str, str]]:
        return dataset_views(dataset).background_run.plan(body.until)

    @app.post("/d/{dataset}/run")
    def run(dataset: str, body: RunBody) -> dict:
        return dataset_views(dataset).background_run.start(body.until).row()

    @app.post("/d/{dataset}/stop")
    def stop(dataset: str, body: EmptyBody) -> dict:
        return dataset_views(dataset).background_run.stop().row()


def _add_error_handlers(app: FastAPI) -> None:
    """Every error is one line, in JSON for scripts; a traceback is only printed on the console."""

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        return _error_response(request, str(error.detail), error.status_code)

    @app.exception_handler(RequestValidationError)
    def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"error": f"{where}: {first['msg']}".lstrip(": ")}, 422)

    @app.exception_handler(UnknownPictures)
    def unknown_pictures(request: Request, error: UnknownPictures) -> JSONResponse:
        return JSONResponse({"error": str(error), "unknown": list(error.ids)}, 404)

    @app.exception_handler(NoSquares)
    def no_squares(request: Request, error: NoSquares) -> Response:
        return _error_response(request, str(error), 503)

    @app.exception_handler(UserError)
    def user_error(request: Request, error: UserError) -> Response:
        return _error_response(request, str(error), 409)

    @app.exception_handler(OSError)
    def system_error(request: Request, error: OSError) -> Response:
        return _error_response(request, str(of_system(error)), 507)

    @app.exception_handler(Exception)
    def unexpected_error(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"{type(error).__name__}; the server's console shows details"}, 500)


def _error_response(request: Request, line: str, status: int) -> Response:
    if "text/html" in request.headers.get("accept", ""):  # a person opened an address in the browser
        return _html("error", status, error=line)
    return JSONResponse({"error": line}, status)
