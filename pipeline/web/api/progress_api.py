"""How a dataset stands, as JSON and as server-sent events, and what a run of it would do."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel

from pipeline.options import STAGES
from pipeline.web.api.jobs_api import ALWAYS
from pipeline.web.bodies import DatasetName, documented
from pipeline.web.chain.chain_state import ChainState
from pipeline.web.event_stream import EventStream, Reading
from pipeline.web.studio import Studio

UNTIL = ("", *STAGES)
Until = Literal[UNTIL]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "each event's data is a `ChainState`; the first comes at once, the next when something changed",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class PlanStep(BaseModel):
    """What a run would do with one stage."""

    stage: str
    state: str
    reason: str = ""
    remark: str = ""


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the routes to `app`."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}", tags=["progress"])
    _add_state(router, studio)
    _add_plan(router, studio)
    app.include_router(router)


def _add_state(router: APIRouter, studio: Studio) -> None:
    @router.get("/progress", summary="How a dataset stands", responses=documented(*ALWAYS, 404))
    def progress(dataset: DatasetName) -> ChainState:
        """Its stages, the run that works, the training that it makes, and what is next."""
        return studio.chain(dataset).state()

    @router.get(
        "/events",
        summary="Follow a dataset",
        response_class=Response,
        responses=EVENTS | documented(*ALWAYS, 404, 503),
    )
    async def events(dataset: DatasetName) -> EventStream:
        """How it stands, as server-sent events. With 503 there are too many streams: ask for the progress instead."""
        chain = await run_in_threadpool(studio.chain, dataset)
        return studio.streams.stream(f"dataset {dataset}", lambda: Reading(chain.state().model_dump_json()))


def _add_plan(router: APIRouter, studio: Studio) -> None:
    @router.get("/plan", summary="What a run would do", responses=documented(*ALWAYS, 404, 409))
    def plan(
        dataset: DatasetName, until: Annotated[Until, Query(description="the last stage; empty for all")] = ""
    ) -> list[PlanStep]:
        """Stage by stage, and why. Nothing is made."""
        return [PlanStep.model_validate(step) for step in studio.chain(dataset).background_run.plan(until)]
