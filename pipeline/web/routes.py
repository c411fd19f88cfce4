"""The routes: what is asked for, checked, and handed to the desk of its dataset."""

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
from pipeline.web import views
from pipeline.web.dataset_paths import Site
from pipeline.web.dataset_view import DatasetView, NoSquares, UnknownPictures
from pipeline.web.label_sync import LabelEdit, tally
from pipeline.web.picture_index import Catalogue
from pipeline.web.security import Guard, Rules
from pipeline.web.thumbnails import original, thumbnail

TEMPLATES = Environment(loader=PackageLoader("pipeline.web"), autoescape=select_autoescape(default=True))
STATIC = Path(__file__).parent / "static"
IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # a square's address names its content
MOST = 200  # pictures on one page
BATCH = 60  # suggestions at once: some minutes' work

Id = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Label = Literal["on", "off", "unsure"] | None
SHOWN, SORTED = ("next", *views.VIEWS), ("", *views.SORTS)
View = Literal[SHOWN]  # type: ignore[valid-type]  # told apart when a request comes
Sort = Literal[SORTED]  # type: ignore[valid-type]  # as above
Until = Literal["filter", ""]


class Strict(BaseModel):
    """A request's body: what is not known is not let in."""

    model_config = ConfigDict(extra="forbid", strict=True)


class MarkBody(Strict):
    """One mark as the browser sends it."""

    id: Id
    label: Label
    was: list[Label] = Field(min_length=1, max_length=8)


class MarksBody(Strict):
    """Marks in the order in which they were made."""

    marks: list[MarkBody] = Field(min_length=1, max_length=1000)


class IdsBody(Strict):
    """Pictures that the browser wants to know about."""

    ids: list[Id] = Field(max_length=MOST)


class RunBody(Strict):
    """How far a run should go; empty for the whole chain."""

    until: Until


class Empty(Strict):
    """A request that says all in its address."""


class Desks:
    """The desks of all datasets, opened when they are first asked for."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._open: dict[str, DatasetView] = {}
        self._lock = threading.Lock()

    def __call__(self, dataset: str) -> DatasetView:
        """The desk of a dataset that is there; 404 for any other name."""
        if dataset not in self.site.datasets():
            raise HTTPException(404, "there is no such dataset")
        with self._lock:
            if dataset not in self._open:
                self._open[dataset] = DatasetView(self.site.place(dataset), self.site.command)
            return self._open[dataset]


class Scripts(StaticFiles):
    """Scripts and styles: kept by the browser, but asked after each time, as another version may be installed."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """The file, or the word that the browser has it."""
        answer = super().file_response(*arguments, **keywords)
        answer.headers["cache-control"] = "no-cache"
        return answer


def make_app(site: Site, rules: Rules, *, first: str = "") -> Guard:
    """The whole server, as an ASGI application; reads the dataset `first` while the browser is being opened."""
    app = FastAPI(title="ganmill", docs_url=None, redoc_url=None, openapi_url=None)
    desks = Desks(site)
    app.mount("/static", Scripts(directory=STATIC))
    _add_faults(app)
    _add_pages(app, desks)
    _add_reading(app, desks)
    _add_pictures(app, desks)
    _add_changing(app, desks)
    if first:
        threading.Thread(target=_warm, args=(desks, first), daemon=True, name="warm").start()
    return Guard(app, rules)


def _warm(desks: Desks, dataset: str) -> None:
    with suppress(UserError, OSError, HTTPException):  # the page will say what is wrong
        desk = desks(dataset)
        desk.batches.features(desk.catalogue())


def _add_pages(app: FastAPI, desks: Desks) -> None:
    @app.get("/")
    def home() -> HTMLResponse:
        rows = [_row(name, desks(name)) for name in desks.site.datasets()]
        return _html("home", datasets=rows)

    @app.get("/d/{dataset}/")
    def page(dataset: str) -> HTMLResponse:
        found = desks(dataset).catalogue()
        return _html("page", dataset=dataset, pictures=len(found.pictures), problem=found.problem, batch=BATCH)


def _html(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(TEMPLATES.get_template(f"{name}.html.jinja").render(**values), status)


def _row(name: str, desk: DatasetView) -> dict[str, object]:
    catalogue, (labels, problem) = desk.catalogue(), desk.marks.standing()
    problem = problem or catalogue.problem
    return {"name": name, "pictures": len(catalogue.pictures), "labels": tally(labels), "problem": problem}


def _add_reading(app: FastAPI, desks: Desks) -> None:
    @app.get("/d/{dataset}/pictures")
    def pictures(
        dataset: str,
        view: View = "next",
        sort: Sort = "",
        source: Annotated[str, Query(max_length=2000)] = "",
        order: Annotated[str, Query(max_length=40)] = "",
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        count: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    ) -> dict:
        desk = desks(dataset)
        if view == "next":
            return desk.batch(count)
        return desk.page(view=view, sort=sort, source=source, held=order, start=start, count=count)

    @app.get("/d/{dataset}/summary")
    def summary(dataset: str, source: Annotated[str, Query(max_length=2000)] = "") -> dict:
        return desks(dataset).summary(source)

    @app.get("/d/{dataset}/changes")
    def changes(dataset: str, since: Annotated[str, Query(max_length=60)] = "") -> dict:
        return desks(dataset).changes(since)


def _add_pictures(app: FastAPI, desks: Desks) -> None:
    @app.get("/d/{dataset}/square/{id}")
    async def square(dataset: str, id: str) -> Response:
        desk = desks(dataset)
        if catalogue := desk.keeper.held():  # a page has a hundred squares: no thread is woken for each
            if found := _square(catalogue, id):
                return found
            desk.keeper.forget()  # it may lie in another folder by now
        if found := _square(await run_in_threadpool(desk.catalogue), id):
            return found
        raise HTTPException(404, "there is no such picture")

    @app.get("/d/{dataset}/original/{id}")
    async def as_found(dataset: str, id: str) -> Response:
        desk = desks(dataset)
        catalogue = await run_in_threadpool(desk.catalogue)
        if id not in catalogue.by_id:
            raise HTTPException(404, "there is no such picture")
        if found := original(id, raw=desk.place.folder / "raw", download=catalogue.download):
            path, kind = found
            return FileResponse(path, media_type=kind, headers=IMMUTABLE)
        return await square(dataset, id)


def _square(catalogue: Catalogue, id: str) -> Response | None:
    found, squares = catalogue.by_id.get(id), catalogue.squares
    if found is None or squares is None:
        return None
    try:
        data, kind = thumbnail(squares / found.square, squares)
    except (OSError, ValueError):
        return None
    return Response(data, media_type=kind, headers=IMMUTABLE)


def _add_changing(app: FastAPI, desks: Desks) -> None:
    @app.post("/d/{dataset}/marks")
    def marks(dataset: str, body: MarksBody) -> dict:
        given = [LabelEdit(id=mark.id, label=mark.label, was=frozenset(mark.was)) for mark in body.marks]
        answer = desks(dataset).mark(given)
        refused = [{"id": each.id, "label": each.label, "now": each.now} for each in answer.refused]
        return {"labels": answer.labels, "refused": refused, "written": answer.written, "revision": answer.revision}

    @app.post("/d/{dataset}/lookup")
    def lookup(dataset: str, body: IdsBody) -> dict:
        return desks(dataset).facts(body.ids)

    @app.post("/d/{dataset}/plan")
    def plan(dataset: str, body: RunBody) -> list[dict[str, str]]:
        return desks(dataset).rerun.plan(body.until)

    @app.post("/d/{dataset}/run")
    def run(dataset: str, body: RunBody) -> dict:
        return desks(dataset).rerun.start(body.until).row()

    @app.post("/d/{dataset}/stop")
    def stop(dataset: str, body: Empty) -> dict:
        return desks(dataset).rerun.stop().row()


def _add_faults(app: FastAPI) -> None:
    """Every fault is one line, of JSON for scripts; a traceback goes to the console and never to the browser."""

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        return _fault(request, str(error.detail), error.status_code)

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"error": f"{where}: {first['msg']}".lstrip(": ")}, 422)

    @app.exception_handler(UnknownPictures)
    def unknown(request: Request, error: UnknownPictures) -> JSONResponse:
        return JSONResponse({"error": str(error), "unknown": list(error.ids)}, 404)

    @app.exception_handler(NoSquares)
    def later(request: Request, error: NoSquares) -> Response:
        return _fault(request, str(error), 503)

    @app.exception_handler(UserError)
    def told(request: Request, error: UserError) -> Response:
        return _fault(request, str(error), 409)

    @app.exception_handler(OSError)
    def system(request: Request, error: OSError) -> Response:
        return _fault(request, str(of_system(error)), 507)

    @app.exception_handler(Exception)
    def ours(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"{type(error).__name__}; the server's console says more"}, 500)


def _fault(request: Request, line: str, status: int) -> Response:
    if "text/html" in request.headers.get("accept", ""):  # somebody opened an address, and reads the answer
        return _html("fault", status, error=line)
    return JSONResponse({"error": line}, status)
