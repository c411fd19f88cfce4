"""The REST interface of what a job makes: its events, sheets, samples, networks and log."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse

from pipeline.web.api.jobs_api import ALWAYS, JobId
from pipeline.web.bodies import documented
from pipeline.web.jobs import job_files
from pipeline.web.jobs.job_view import job_reading
from pipeline.web.studio import Studio
from pipeline.web.zip_stream import Entry, zip_stream

BINARY = {"schema": {"type": "string", "format": "binary"}}
TEXT = {"schema": {"type": "string"}}
EVENT = {"schema": {"type": "object", "required": ["id", "event", "data"],
                    "properties": {key: {"type": "string"} for key in ("id", "event", "data")}}}  # fmt: skip
CONTENTS = {"text/plain": TEXT, "text/event-stream": EVENT}  # of other media types: bytes
REFUSALS = documented(*ALWAYS, 404)


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the files and events of jobs to `app`."""
    router = APIRouter(prefix="/api/v1/jobs/{id}", tags=["results of jobs"])
    _add_events(router, studio)
    _add_pictures(router, studio)
    _add_downloads(router, studio)
    app.include_router(router)


def _answers(kind: str, text: str, *statuses: int) -> dict[str, Any]:
    """The responses of a route that sends a file of this media type."""
    content = {kind: CONTENTS.get(kind, BINARY)}
    return {"responses": {200: {"description": text, "content": content}, **REFUSALS, **documented(*statuses)}}


def _add_events(router: APIRouter, studio: Studio) -> None:
    answers = _answers("text/event-stream", "events called job, whose data are the job as JSON", 503)
    answers["responses"][204] = {"description": "the job is over, and its last state was received before"}

    @router.get("/events", summary="Follow a job", response_class=StreamingResponse, **answers)
    async def events(
        id: JobId,
        last_event_id: Annotated[str, Header(max_length=100, description="the id of the last event received")] = "",
    ) -> Response:
        """Server-sent events: the state now, and whenever it changes; a comment after 15 quiet seconds. The stream ends
        with the job. With 503 there are too many streams: ask for the job itself, or again later."""
        await run_in_threadpool(studio.jobs.find, id)
        read = partial(job_reading, studio.jobs, id)
        now = await run_in_threadpool(read)
        if now and now.last and now.id == last_event_id:
            return Response(status_code=204)  # a browser does not ask again after this
        return studio.streams.stream(f"job {id}", read, event="job", seen=last_event_id)


def _add_pictures(router: APIRouter, studio: Studio) -> None:
    @router.get(
        "/sheets/{epoch}",
        summary="A sample sheet",
        response_class=FileResponse,
        **_answers("image/png", "samples of the same 64 latents at this epoch"),
    )
    def sheet(
        id: JobId,
        epoch: Annotated[
            str, Path(pattern="^(latest|[0-9]{1,9})$", description="the epoch, or latest", examples=["latest"])
        ],
    ) -> FileResponse:
        """A sheet is made every few epochs while the training runs; the job says the newest one."""
        path = job_files.sheet(studio.jobs, studio.jobs.find(id), epoch)
        return FileResponse(path, media_type="image/png")

    @router.get(
        "/grid.png",
        summary="The contact sheet of the samples",
        response_class=FileResponse,
        **_answers("image/png", "the first samples, in rows"),
    )
    def grid(id: JobId) -> FileResponse:
        """It is there when the stage generate is done."""
        return FileResponse(job_files.grid(studio.jobs, studio.jobs.find(id)), media_type="image/png")


def _add_downloads(router: APIRouter, studio: Studio) -> None:
    @router.get(
        "/images.zip",
        summary="The samples",
        response_class=StreamingResponse,
        **_answers("application/zip", "PNG files, named by their number", 409, 503),
    )
    def images(
        id: JobId,
        count: Annotated[int | None, Query(ge=1, le=10**6, description="the first so many; all by default")] = None,
        seed: Annotated[int | None, Query(ge=0, le=2**32 - 1, description="the seed of the latents")] = None,
    ) -> StreamingResponse:
        """The samples that the job made, or others of its generator: of another seed, or more, which are drawn now (at
        most 2,000). By default all that it made, or the first 64 if it made none. The samples of a seed are always the
        same."""
        entries = job_files.samples(studio.jobs, studio.sampling, studio.jobs.find(id), count=count, seed=seed)
        return _zip(entries, f"samples-{id}.zip")

    @router.get(
        "/model.zip",
        summary="The trained networks",
        response_class=StreamingResponse,
        **_answers("application/zip", "the networks, the definition and the model card"),
    )
    def model(id: JobId) -> StreamingResponse:
        """It is there when the stage gan is done. The files are laid out as a repository of the Hugging Face Hub."""
        return _zip(job_files.model(studio.jobs, studio.jobs.find(id)), f"model-{id}.zip")

    @router.get(
        "/log",
        summary="What the run printed",
        response_class=Response,
        **_answers("text/plain", "the last megabyte, without control characters"),
    )
    def log(id: JobId) -> PlainTextResponse:
        """Warnings, the lines of the stages, and the error of a run that was refused."""
        return PlainTextResponse(job_files.log_text(studio.jobs.store.log(studio.jobs.find(id).id)))


def _zip(entries: list[Entry], name: str) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(zip_stream(entries), media_type="application/zip", headers=headers)
