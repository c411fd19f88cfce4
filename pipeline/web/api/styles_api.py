"""Style transfers over REST: submit pictures, see how it stands, fetch what it made, stop, resume and delete."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from pipeline.web.api.jobs_api import ALWAYS, CHANGES, JobId
from pipeline.web.bodies import EmptyBody, documented
from pipeline.web.jobs.job import Job
from pipeline.web.jobs.job_files import log_text
from pipeline.web.mistakes import Mistake
from pipeline.web.studio import Studio
from pipeline.web.stylizing.style_queue import OUT, style_files
from pipeline.web.stylizing.style_results import FILMS, StyledPicture, styled_pictures
from pipeline.web.stylizing.style_submission import (
    MAX_CONTENT,
    MAX_NAME,
    MAX_SAMPLES,
    MAX_STYLES,
    checked_options,
    submit,
)
from pipeline.web.stylizing.style_view import StyleStatus, style_status, style_statuses
from pipeline.web.uploads import PictureStore

FIELDS = ("name", "dataset", "samples", "options")
DEFAULT_SAMPLES = 8
Number = Annotated[int, Path(ge=0, lt=1000, description="which of its pictures, from 0")]
BINARY = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["style"],
                    "properties": {
                        "content": {
                            "type": "array",
                            "items": BINARY,
                            "description": "what is drawn: pictures, or zips",
                        },
                        "style": {"type": "array", "items": BINARY, "description": "in whose style; several are mixed"},
                        "dataset": {**TEXT, "description": "instead of content: samples of this dataset's generator"},
                        "samples": {**TEXT, "description": f"how many samples, 1 to {MAX_SAMPLES}"},
                        "options": {**TEXT, "description": 'JSON, the flags of stylize: {"size": "256"}'},
                        "name": {**TEXT, "description": "what you call it"},
                    },
                }
            }
        },
    }
}


class StyleList(BaseModel):
    """Style transfers, the newest first."""

    styles: list[StyleStatus]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the style transfers to `app`."""
    router = APIRouter(prefix="/api/v1/styles", tags=["style transfer"])
    _add_submitting(router, studio)
    _add_reading(router, studio)
    _add_files(router, studio)
    _add_changing(router, studio)
    app.include_router(router)


def _add_submitting(router: APIRouter, studio: Studio) -> None:
    @router.post(
        "",
        status_code=202,
        summary="Draw pictures in the style of others",
        openapi_extra=BODY,
        responses=documented(*CHANGES, 404, 409, 507),
    )
    async def submit_style(request: Request, response: Response) -> StyleStatus:
        """Multipart, with files called `content` (or a dataset, whose generator draws samples) and `style`. The options
        are the flags of the command `stylize`. It begins when its turn comes."""
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise HTTPException(415, "expected files (content-type: multipart/form-data)")
        async with request.form(max_files=MAX_CONTENT + MAX_STYLES, max_fields=len(FIELDS)) as form:
            job = await run_in_threadpool(_submit, studio, form)
        response.headers["location"] = f"/api/v1/styles/{job.id}"
        return await run_in_threadpool(style_status, studio.styles, job)


def _submit(studio: Studio, form: FormData) -> Job:
    texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    if wrong := next((name for name, _ in files if name not in ("content", "style")), None):
        raise Mistake(f"{wrong[:50]}: files are called content or style")
    if wrong := next((name for name in texts if name not in FIELDS), None):
        raise Mistake(f"{wrong[:50]}: there is no such field; there are {', '.join(FIELDS)}")
    content = [file for name, file in files if name == "content"]
    styles = [(file.filename or "style", _fill([file])) for name, file in files if name == "style"]
    dataset = texts.get("dataset", "")
    if texts.get("samples") and not dataset:
        raise Mistake("samples: only with a dataset, whose generator draws them", "samples")
    if dataset:
        if not studio.paths(dataset).gan.last_used():
            raise Mistake(f"dataset: {dataset} has no trained generator yet", "dataset")
        if content:
            raise Mistake("content: pictures and a dataset came; send one of them", "content")
    return submit(
        studio.styles,
        name=texts.get("name", "")[:MAX_NAME],
        options=_options(texts.get("options", "")),
        samples_of=dataset,
        samples=_samples(texts.get("samples", "")),
        fill_content=_fill(content),
        fill_styles=styles,
    )


def _fill(files: list[UploadFile]) -> Callable[[PictureStore], None]:
    def fill(store: PictureStore) -> None:
        for file in files:
            store.add(file.filename or "picture", file.file)

    return fill


def _options(text: str) -> dict[str, str]:
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str | int | float) for value in given.values()):
        raise Mistake('options: expected JSON, for example {"size": "256"}', "options")
    return checked_options({_text(name): _text(value) for name, value in given.items()})


def _text(value: str | float) -> str:
    """`value` as a flag has it; JSON may have half a character, which UTF-8 has not."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "replace").decode()


def _samples(text: str) -> int:
    try:
        count = int(text or DEFAULT_SAMPLES)
    except ValueError:
        count = 0
    if not 1 <= count <= MAX_SAMPLES:
        raise Mistake(f"samples: expected a whole number from 1 to {MAX_SAMPLES}", "samples")
    return count


def _add_reading(router: APIRouter, studio: Studio) -> None:
    @router.get("", summary="List style transfers", responses=documented(*ALWAYS))
    def styles(
        count: Annotated[int, Query(ge=1, le=200, description="at most so many")] = 50,
    ) -> StyleList:
        """The newest first."""
        return StyleList(styles=style_statuses(studio.styles, studio.styles.all()[:count]))

    @router.get("/{id}", summary="How a style transfer stands", responses=documented(*ALWAYS, 404))
    def style(id: JobId) -> StyleStatus:
        """Its state, how far it is, and what it has made so far."""
        return style_status(studio.styles, studio.styles.find(id))

    @router.get(
        "/{id}/log",
        summary="What the command printed",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"schema": TEXT}}}, **documented(*ALWAYS, 404)},
    )
    def log(id: JobId) -> PlainTextResponse:
        """The last lines, without control characters."""
        return PlainTextResponse(log_text(studio.styles.store.log(studio.styles.find(id).id)))


def _add_files(router: APIRouter, studio: Studio) -> None:
    find = partial(_found, studio)
    answers = partial(_answers, *ALWAYS, 404)

    @router.get(
        "/{id}/styles/{number}", response_class=FileResponse, summary="A picture of a style", **answers("image/*")
    )
    def style_file(id: JobId, number: Number) -> FileResponse:
        """As it was sent."""
        files = style_files(studio.styles.work(studio.styles.find(id).dataset))
        return _sent(files[number] if number < len(files) else None)

    root = "/{id}/pictures/{number}"

    @router.get(f"{root}/picture.png", response_class=FileResponse, summary="A result", **answers("image/png"))
    def picture(id: JobId, number: Number) -> FileResponse:
        """It is there when it is finished."""
        found = find(id, number)
        return _sent(found.file("picture.png") if found.is_made else None)

    @router.get(f"{root}/sheets/{{step}}", response_class=FileResponse, summary="A sheet", **answers("image/png"))
    def sheet(id: JobId, number: Number, step: Annotated[int, Path(ge=0, lt=10**9)]) -> FileResponse:
        """The content, the picture after so many steps, and the styles."""
        return _sent(find(id, number).sheet(step))

    @router.get(f"{root}/film.{{format}}", response_class=FileResponse, summary="The film", **answers(*FILMS.values()))
    def film(id: JobId, number: Number, format: Literal["webm", "gif", "mp4"]) -> FileResponse:
        """How the picture came about."""
        return _sent(find(id, number).file(f"film.{format}"), FILMS[format])

    @router.get(f"{root}/card", response_class=FileResponse, summary="The card", **answers("text/plain"))
    def card(id: JobId, number: Number) -> FileResponse:
        """What the picture was made from, and how."""
        return _sent(find(id, number).file("README.md"), "text/plain; charset=utf-8")


def _answers(*statuses_and_kinds: Any) -> dict[str, Any]:
    statuses = [each for each in statuses_and_kinds if isinstance(each, int)]
    kinds = [each for each in statuses_and_kinds if isinstance(each, str)]
    content = {kind: {"schema": TEXT if kind.startswith("text") else BINARY} for kind in kinds}
    return {"responses": {200: {"description": "the file", "content": content}, **documented(*statuses)}}


def _found(studio: Studio, id: str, number: int) -> StyledPicture:
    job = studio.styles.find(id)
    pictures = styled_pictures(studio.styles.work(job.dataset) / OUT)
    if number >= len(pictures):
        raise HTTPException(404, "there is no such picture yet")
    return pictures[number]


def _sent(path: FilePath | None, kind: str | None = None) -> FileResponse:
    if path is None or path.is_symlink():
        raise HTTPException(404, "this is not there yet, or not any more")
    return FileResponse(path, media_type=kind, headers={"cache-control": "no-cache"})


def _add_changing(router: APIRouter, studio: Studio) -> None:
    changed = documented(*CHANGES, 404, 409, 507)

    @router.post("/{id}/stop", summary="Stop a style transfer", responses=changed)
    def stop(id: JobId, body: EmptyBody) -> StyleStatus:
        """What it has drawn is kept, and it can be resumed."""
        return style_status(studio.styles, studio.styles.stop(id))

    @router.post("/{id}/resume", summary="Resume a style transfer", responses=changed)
    def resume(id: JobId, body: EmptyBody) -> StyleStatus:
        """It goes on where it was."""
        return style_status(studio.styles, studio.styles.resume(id))

    @router.delete("/{id}", summary="Delete a style transfer and its pictures", status_code=204, responses=changed)
    def delete(id: JobId) -> Response:
        """One that is running must be stopped first."""
        studio.styles.delete(id)
        return Response(status_code=204)
