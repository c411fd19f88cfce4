"""The REST interface of the queue: submit a run, see how it stands, stop, resume and delete it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from starlette.requests import Request

from pipeline.options import STAGES
from pipeline.web.bodies import EmptyBody, StrictBody, documented
from pipeline.web.jobs.job import State
from pipeline.web.jobs.job_queue import OtherSubmission
from pipeline.web.jobs.job_view import links, shown_job, shown_jobs
from pipeline.web.jobs.submission import checked_submission
from pipeline.web.mistakes import Mistake
from pipeline.web.studio import Studio

ALWAYS = (400, 401, 403, 421, 422, 431)  # refusals that every route has
CHANGES = (*ALWAYS, 413, 415)
UNTIL = ("", *STAGES)
Until = Literal[UNTIL]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
JobId = Annotated[
    str, Path(pattern="^[0-9]{17}[0-9a-f]{8}$", description="the job's id", examples=["20260102030405678a1b2c3d4"])
]
Setting = Annotated[str, Field(max_length=4000)] | bool | int | float | list[Annotated[str, Field(max_length=1000)]]


class JobBody(StrictBody):
    """A run to submit."""

    dataset: str = Field(min_length=1, max_length=100, description="the name of the dataset", examples=["demo"])
    until: Until = Field("", description="the last stage; empty for all", examples=["generate"])
    settings: dict[Annotated[str, Field(max_length=100)], Setting | None] = Field(
        default_factory=dict,
        max_length=100,
        description="as the flags of a run; the values as text or JSON",
        examples=[{"gan.epochs": 20, "generate.count": "100"}],
    )
    definition: Annotated[str, Field(max_length=200)] | dict[str, Any] | None = Field(
        None,
        description="the name of a definition in models/, or one as an object: ganmill's, or one of IBM's gan-toolkit",
        examples=["dcgan"],
    )
    name: str = Field("", max_length=100, description="what you call this job", examples=["twenty epochs"])


class Accepted(BaseModel):
    """A job that was queued."""

    id: str
    state: State
    location: str = Field(description="the address of the job")
    warnings: list[str] = Field(description="what of the definition is not followed, a line each")
    links: dict[str, str]


class JobStatus(BaseModel):
    """How a job stands. Times are ISO 8601 in UTC, and empty if they have not come."""

    id: str
    dataset: str
    until: str
    settings: dict[str, str]
    definition: str = Field(description="the name of the definition; empty: the dataset's own")
    name: str
    warnings: list[str]
    state: State = Field(description="next: the run asks for something first, such as labels; outcome says what")
    outcome: str = Field(description="how it ended, in one line")
    created: str
    started: str
    ended: str
    attempts: int = Field(description="how often it was started again by itself after its process was gone")
    stopping: bool = Field(description="it was asked to stop")
    position: int | None = Field(description="its place in the queue; 1 is the next")
    waits_for: str = Field(description="what a queued job waits for")
    stage: str
    percent: int | None = Field(description="how much of the stage is done")
    note: str = Field(description="how far the stage is, in words, or what it waits for")
    lines: list[str] = Field(description="the last lines that the run printed")
    run: str | None = Field(description="the name of the run's record in data/<dataset>/runs")
    training: str | None = Field(description="the name of the training")
    training_id: str | None = Field(description="its id in /api/v1/datasets/<dataset>/trainings")
    epoch: int = Field(description="epochs that are done")
    epochs: int | None = Field(description="epochs that are planned; null: as many as it takes")
    losses: dict[str, float] | None = Field(description="of the newest epoch")
    scores: dict[str, float | int | str] | None = Field(
        description="the newest scores, their epoch, and the extractor that measured them; only numbers of the same"
        " extractor can be compared"
    )
    best_epoch: int | None = Field(description="the epoch with the lowest KID")
    alarms: list[str] = Field(description="warnings about the training that last, in words")
    sheet: int | None = Field(description="the epoch of the newest sample sheet")
    links: dict[str, str]


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobStatus]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the jobs to `app`."""
    router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
    _add_submitting(router, studio)
    _add_reading(router, studio)
    _add_changing(router, studio)
    app.include_router(router)


def _add_submitting(router: APIRouter, studio: Studio) -> None:
    @router.post(
        "",
        status_code=202,
        summary="Submit a run",
        response_model=Accepted,
        responses=documented(*CHANGES, 409, 507),
    )
    async def submit(
        request: Request,
        body: JobBody,
        response: Response,
        idempotency_key: Annotated[
            str,
            Header(max_length=200, description="your own name of this submission: sent again, it gives the same job"),
        ] = "",
    ) -> dict[str, Any]:
        """The settings and the definition are checked first: an error is the line that the command line prints, with
        the JSON pointer of the field. The run begins when its turn comes."""
        sent = await request.body()
        accepted = await run_in_threadpool(_submit, studio, body, idempotency_key, sent)
        response.headers["location"] = accepted["location"]
        return accepted


def _submit(studio: Studio, body: JobBody, key: str, sent: bytes) -> dict[str, Any]:
    submission = checked_submission(
        studio,
        dataset=body.dataset,
        until=body.until,
        settings=body.settings,
        definition=body.definition,
        name=body.name,
    )
    try:
        job = studio.jobs.submit(submission, key=key, body=sent)
    except OtherSubmission as error:
        raise Mistake(str(error)) from None
    found = links(job)
    return {
        "id": job.id,
        "state": job.state,
        "location": found["self"],
        "warnings": list(job.warnings),
        "links": found,
    }


def _add_reading(router: APIRouter, studio: Studio) -> None:
    @router.get("", summary="List jobs", response_model=JobList, responses=documented(*ALWAYS))
    def jobs(
        dataset: Annotated[str, Query(max_length=100, description="only those of this dataset")] = "",
        count: Annotated[int, Query(ge=1, le=200, description="at most so many")] = 50,
    ) -> dict[str, Any]:
        """The newest first."""
        return {"jobs": shown_jobs(studio.jobs, studio.jobs.all(dataset)[:count])}

    @router.get("/{id}", summary="How a job stands", response_model=JobStatus, responses=documented(*ALWAYS, 404))
    def job(id: JobId) -> dict[str, Any]:
        """Its state, how far it is, and the newest figures of its training."""
        return shown_job(studio.jobs, studio.jobs.find(id))


def _add_changing(router: APIRouter, studio: Studio) -> None:
    changed = {"response_model": JobStatus, "responses": documented(*CHANGES, 404, 409, 507)}

    @router.post("/{id}/stop", summary="Stop a job", **changed)  # type: ignore[arg-type]  # mypy joins the types
    def stop(id: JobId, body: EmptyBody) -> dict[str, Any]:
        """What it has done is kept, and it can be resumed. A queued job never starts."""
        return shown_job(studio.jobs, studio.jobs.stop(id))

    @router.post("/{id}/resume", summary="Resume a job", **changed)  # type: ignore[arg-type]  # as above
    def resume(id: JobId, body: EmptyBody) -> dict[str, Any]:
        """Queue it again, if it was stopped, failed, or asked for something; it goes on where it was."""
        return shown_job(studio.jobs, studio.jobs.resume(id))

    @router.delete("/{id}", summary="Delete a job", status_code=204, responses=documented(*CHANGES, 404, 409, 507))
    def delete(id: JobId) -> Response:
        """Forget it. What its run has made stays. A running job is refused: stop it, and wait until it is over."""
        studio.jobs.delete(id)
        return Response(status_code=204)
