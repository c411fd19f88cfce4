"""The label page, and what its script asks for: each request is checked and passed to the dataset's `DatasetView`."""

from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from pipeline.store.artifacts import load
from pipeline.web.bodies import EmptyBody, Id, StrictBody
from pipeline.web.jobs.job_queue import Submission
from pipeline.web.labelling import views
from pipeline.web.labelling.label_bodies import MAX_SQUARES, LabelChanges, Searched, SquarePage, written
from pipeline.web.labelling.picture_index import PictureIndex
from pipeline.web.labelling.thumbnails import ThumbnailCache, original, thumbnail
from pipeline.web.rendering import html
from pipeline.web.studio import Studio

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # a square's address contains its hash
BATCH = 60  # suggestions at once: a few minutes of labelling

View = Literal[("next", *views.VIEWS)]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
Until = Literal["filter", ""]


class PicturesQuery(SquarePage):
    """A page of squares of a view, or the next ones to label."""

    view: View = "next"


class IdsBody(StrictBody):
    """Squares that the browser asks about."""

    ids: list[Id] = Field(max_length=MAX_SQUARES)


class RunBody(StrictBody):
    """The last stage of a run; empty for all stages."""

    until: Until


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
    def pictures(dataset: str, query: Annotated[PicturesQuery, Query()]) -> dict:
        dataset_view = studio.view(dataset)
        return dataset_view.next_batch(query.count) if query.view == "next" else dataset_view.page(query.view, query)

    @router.get("/summary")
    def summary(dataset: str, query: Annotated[Searched, Query()]) -> dict:
        return studio.view(dataset).summary(query.selection())

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
    def labels(dataset: str, body: LabelChanges) -> dict:
        return written(studio.view(dataset).edit_labels(body.edits()))

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
