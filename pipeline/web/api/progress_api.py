"""How a dataset stands, as JSON and as server-sent events, and what a run of it would do."""

from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel

from pipeline.options import STAGES
from pipeline.web.bodies import documented
from pipeline.web.chain.chain_state import ChainState
from pipeline.web.event_stream import EventStream
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
    @router.get("/progress", responses=documented(401, 403, 404, 421))
    def progress(dataset: str) -> ChainState:
        """How the dataset stands: its stages, the run that works, the training that it makes, and what is next."""
        return studio.chain(dataset).state()

    @router.get("/events", response_class=Response, responses=EVENTS | documented(401, 403, 404, 421, 503))
    async def events(dataset: str) -> EventStream:
        """The same, as server-sent events. With 503 there are too many streams: ask for the progress instead."""
        chain = await run_in_threadpool(studio.chain, dataset)
        return studio.streams.stream(f"dataset {dataset}", lambda: chain.state().model_dump_json())


def _add_plan(router: APIRouter, studio: Studio) -> None:
    @router.get("/plan", responses=documented(401, 403, 404, 409, 421, 422))
    def plan(dataset: str, until: Until = "") -> list[PlanStep]:
        """What a run would do, stage by stage, and why; `until` is the last stage, empty for all. Nothing is made."""
        return [PlanStep.model_validate(step) for step in studio.chain(dataset).background_run.plan(until)]
