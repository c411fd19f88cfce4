"""The label page, and what its script asks for: each request is checked and passed to the dataset's `DatasetView`."""

from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from pipeline.store.artifacts import load
from pipeline.web.bodies import Id, StrictBody
from pipeline.web.jobs.job_queue import Submission
from pipeline.web.labelling import views
from pipeline.web.labelling.label_sync import LabelEdit
from pipeline.web.labelling.picture_index import PictureIndex
from pipeline.web.labelling.thumbnails import ThumbnailCache, original, thumbnail
from pipeline.web.rendering import html
from pipeline.web.studio import Studio

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # a square's address contains its hash
MAX_PER_PAGE = 200  # squares on one page
BATCH = 60  # suggestions at once: a few minutes of labelling

Label = Literal["on", "off", "unsure"] | None
VIEW_NAMES, SORT_NAMES = ("next", *views.VIEWS), ("", *views.SORTS)
View = Literal[VIEW_NAMES]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
Sort = Literal[SORT_NAMES]  # type: ignore[valid-type]  # as above
Until = Literal["filter", ""]


class LabelEditBody(StrictBody):
    """One label edit as the browser sends it."""

    id: Id
    label: Label
    previous: list[Label] = Field(min_length=1, max_length=8)


class LabelEditsBody(StrictBody):
    """Label edits in the order in which they were made."""

    labels: list[LabelEditBody] = Field(min_length=1, max_length=1000)


Text = Annotated[str, Query(max_length=2000)]


class IdsBody(StrictBody):
    """Squares that the browser asks about."""

    ids: list[Id] = Field(max_length=MAX_PER_PAGE)


class RunBody(StrictBody):
    """The last stage of a run; empty for all stages."""

    until: Until


class EmptyBody(StrictBody):
    """A request without parameters."""


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the label page to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)
    _add_page(router, studio)
    _add_reading(router, studio)
    _add_pictures(router, studio)
    _add_originals(router, studio)
    _add_changing(router, studio)
    app.include_router(router)


def _add_page(router: APIRouter, studio: Studio) -> None:
    @router.get("/label")
    def page(dataset: str) -> HTMLResponse:
        found = studio.view(dataset).index()
        count = len(found.pictures)
        fit = load(found.squares).manifest.options.get("fit", "") if found.squares else ""
        values = {"pictures": count, "problem": found.problem, "batch": BATCH, "fit": fit}
        return html("label", 200, dataset=dataset, tab="label", **values)


def _add_reading(router: APIRouter, studio: Studio) -> None:
    @router.get("/pictures")
    def pictures(
        dataset: str,
        view: View = "next",
        sort: Sort = "",
        source: Text = "",
        search: Text = "",
        order: Annotated[str, Query(max_length=40)] = "",
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        count: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = MAX_PER_PAGE,
    ) -> dict:
        dataset_view = studio.view(dataset)
        if view == "next":
            return dataset_view.next_batch(count)
        selection = views.Selection(source=source, search=search)
        return dataset_view.page(view=view, sort=sort, selection=selection, order=order, start=start, count=count)

    @router.get("/summary")
    def summary(dataset: str, source: Text = "", search: Text = "") -> dict:
        return studio.view(dataset).summary(views.Selection(source=source, search=search))

    @router.get("/changes")
    def changes(dataset: str, since: Annotated[str, Query(max_length=60)] = "") -> dict:
        return studio.view(dataset).changes(since) | {"run": studio.jobs.run_status(dataset).row()}


def _add_pictures(router: APIRouter, studio: Studio) -> None:
    @router.get("/square/{id}")
    async def square(dataset: str, id: str) -> Response:
        dataset_view = studio.view(dataset)
        if index := dataset_view.index_cache.if_current():  # without a thread, as a page has a hundred squares
            if found := _square(index, id):
                return found
            dataset_view.index_cache.invalidate()  # the square may be in another folder now
        if found := _square(await run_in_threadpool(dataset_view.index), id):
            return found
        raise HTTPException(404, "there is no such square")

    @router.get("/original/{id}")
    async def original_picture(dataset: str, id: str) -> Response:
        dataset_view = studio.view(dataset)
        index = await run_in_threadpool(dataset_view.index)
        if id not in index.by_id:
            raise HTTPException(404, "there is no such square")
        if found := original(id, raw=dataset_view.paths.folder / "raw", download=index.download):
            path, kind = found
            return FileResponse(path, media_type=kind, headers=IMMUTABLE)
        return await square(dataset, id)


def _add_originals(router: APIRouter, studio: Studio) -> None:
    thumbnails = ThumbnailCache()

    @router.get("/thumbnail/{id}")
    def original_small(dataset: str, id: str) -> Response:
        dataset_view = studio.view(dataset)
        index = dataset_view.index()
        if id not in index.by_id:
            raise HTTPException(404, "there is no such square")
        found = original(id, raw=dataset_view.paths.folder / "raw", download=index.download)
        if found and (made := thumbnails.get(id, found[0])):
            return Response(made, media_type="image/jpeg", headers=IMMUTABLE)
        if square := _square(index, id):  # better than nothing: it was made from the original
            return square
        raise HTTPException(404, "there is no such picture")


def _square(index: PictureIndex, id: str) -> Response | None:
    found, squares = index.by_id.get(id), index.squares
    if found is None or squares is None:
        return None
    try:
        data, kind = thumbnail(squares / found.square, squares)
    except (OSError, ValueError):
        return None
    return Response(data, media_type=kind, headers=IMMUTABLE)


def _add_changing(router: APIRouter, studio: Studio) -> None:
    @router.post("/labels")
    def labels(dataset: str, body: LabelEditsBody) -> dict:
        label_edits = [
            LabelEdit(id=edit.id, label=edit.label, previous=frozenset(edit.previous)) for edit in body.labels
        ]
        result = studio.view(dataset).edit_labels(label_edits)
        refused = [{"id": conflict.id, "label": conflict.label, "now": conflict.now} for conflict in result.refused]
        return {"labels": result.labels, "refused": refused, "written": result.written, "revision": result.revision}

    @router.post("/lookup")
    def lookup(dataset: str, body: IdsBody) -> dict:
        return studio.view(dataset).facts(body.ids)

    @router.post("/plan")
    def plan(dataset: str, body: RunBody) -> list[dict[str, str]]:
        return studio.view(dataset).background_run.plan(body.until)

    @router.post("/run")
    def run(dataset: str, body: RunBody) -> dict:
        studio.paths(dataset)
        studio.jobs.submit(Submission(dataset=dataset, until=body.until))
        return studio.jobs.run_status(dataset).row()

    @router.post("/stop")
    def stop(dataset: str, body: EmptyBody) -> dict:
        studio.paths(dataset)
        return studio.jobs.stop_run(dataset).row()
