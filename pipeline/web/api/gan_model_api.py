"""`POST /gan_model`, as the server of IBM's gan-toolkit has it: upload a configuration, and a run begins."""

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, File, Form, Query, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pipeline.errors import UserError
from pipeline.gan.config.json_text import MAX_BYTES
from pipeline.web.api.jobs_api import CHANGES
from pipeline.web.bodies import MEANINGS
from pipeline.web.jobs.job import Job
from pipeline.web.jobs.submission import LoadedText, checked_submission
from pipeline.web.mistakes import Mistake
from pipeline.web.studio import Studio

WAIT_SECONDS = 24 * 3600.0  # at most, with ?wait=1
LOOK_SECONDS = 1.0
MAX_WAITING = 32  # requests with ?wait=1 at the same time
Dataset = Annotated[str, Field(max_length=100)]


class GanModelAnswer(BaseModel):
    """As the gan-toolkit answers; `id` is that of the job."""

    Success: bool
    Errors: list[str]
    id: str | None = None
    Warnings: list[str] = []


def _answer(status: int, *errors: str, id: str | None = None, warnings: tuple[str, ...] = ()) -> JSONResponse:
    body = GanModelAnswer(Success=not errors, Errors=list(errors), id=id, Warnings=list(warnings))
    return JSONResponse(body.model_dump(), status)


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": MEANINGS[status]} for status in statuses}


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the route of the gan-toolkit to `app`."""
    router = APIRouter(tags=["gan-toolkit"])
    waiting: set[str] = set()

    @router.post(
        "/gan_model",
        summary="Train with a configuration of IBM's gan-toolkit",
        response_model=GanModelAnswer,
        responses=_documented(*CHANGES, 409, 503, 507),
    )
    async def gan_model(
        config_file: Annotated[UploadFile, File(description="the configuration, a JSON file; paths are not followed")],
        dataset: Annotated[Dataset, Query(description="the dataset to train on")] = "",
        dataset_field: Annotated[Dataset, Form(alias="dataset", description="the same as a form field")] = "",
        wait: Annotated[Literal["", "0", "1"], Query(description="1: answer when the run has ended")] = "",
    ) -> JSONResponse:
        """Answers at once; with `wait=1` when the run has ended, after a day at the latest."""
        data = await config_file.read(MAX_BYTES + 1)
        try:
            job = await run_in_threadpool(_submit, studio, dataset or dataset_field, data)
        except Mistake as error:
            return _answer(422, str(error))
        except UserError as error:
            return _answer(409, str(error))
        if wait != "1":
            return _answer(200, id=job.id, warnings=job.warnings)
        if len(waiting) >= MAX_WAITING:
            return _answer(503, f"too many requests wait; the job {job.id} is queued all the same", id=job.id)
        waiting.add(job.id)
        try:
            return await _ended(studio, job.id)
        finally:
            waiting.discard(job.id)

    app.include_router(router)


def _submit(studio: Studio, dataset: str, data: bytes) -> Job:
    if not dataset:
        raise Mistake("name the dataset: POST /gan_model?dataset=NAME, or a form field dataset", "dataset")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Mistake(f"definition: not JSON: not UTF-8 text from byte {error.start} on; save it as UTF-8") from None
    return studio.jobs.submit(checked_submission(studio, dataset=dataset, definition=LoadedText(text)))


async def _ended(studio: Studio, id: str) -> JSONResponse:
    """The answer when the job `id` has ended."""
    latest = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < latest and not studio.closing.is_set():
        job = await run_in_threadpool(studio.jobs.find, id)
        if job.state == "done":
            return _answer(200, id=id, warnings=job.warnings)
        if job.is_over:
            return _answer(409, job.outcome or f"the run {job.state}", id=id, warnings=job.warnings)
        await asyncio.sleep(LOOK_SECONDS)
    return _answer(503, f"the run has not ended; GET /api/v1/jobs/{id} says how it stands", id=id)
