"""REST: the runs of a dataset, and the stars, names and notes of runs and trainings."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Path, Query
from pydantic import Field

from pipeline.web.bodies import DatasetName, StrictBody, documented
from pipeline.web.studio import Studio
from pipeline.web.trainings.history_bodies import NoteBody, RunDetail, RunList
from pipeline.web.trainings.notes import LONGEST_NAME, LONGEST_NOTE, RUN, change_note
from pipeline.web.trainings.runs_view import RunsView, Show, Sort, Wanted
from pipeline.web.trainings.trainings_view import TrainingsView

MOST = 100  # runs in one response
Run = Annotated[str, Path(min_length=1, max_length=100, description="the name of the run's folder")]


class NoteChange(StrictBody):
    """What is to change of a note; what is absent stays as it is."""

    star: bool | None = None
    name: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = None


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add runs and notes to the REST interface."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}")
    _add_runs(router, studio)
    _add_notes(router, studio)
    app.include_router(router)


def _add_runs(router: APIRouter, studio: Studio) -> None:
    @router.get("/runs", tags=["runs"], responses=documented(404, 422), summary="The runs, the newest first")
    def runs(
        dataset: DatasetName,
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        count: Annotated[int, Query(ge=1, le=MOST)] = 50,
        show: Show = "all",
        sort: Sort = "newest",
        text: Annotated[str, Query(max_length=200)] = "",
    ) -> RunList:
        """The runs, the newest first."""
        wanted = Wanted(show=show, sort=sort, text=text)
        total, found = RunsView(studio.paths(dataset)).page(wanted, start=start, count=count)
        return RunList(total=total, start=start, runs=found)

    @router.get("/runs/{run}", tags=["runs"], responses=documented(404, 422), summary="A run with all its settings")
    def run(dataset: DatasetName, run: Run) -> RunDetail:
        """A run with all its settings."""
        view = RunsView(studio.paths(dataset))
        return view.detail(view.find(run))


def _add_notes(router: APIRouter, studio: Studio) -> None:
    @router.put(
        "/notes/{kind}/{id}",
        tags=["notes"],
        responses=documented(400, 403, 404, 409, 413, 415, 422, 507),
        summary="Change the star, the name or the note of a run or a training",
    )
    def note(
        dataset: DatasetName,
        kind: Literal["run", "training"],
        id: Annotated[str, Path(min_length=1, max_length=100)],
        body: NoteChange,
    ) -> NoteBody:
        """Change the star, the name or the note of a run or a training."""
        paths = studio.paths(dataset)
        known = RunsView(paths).find(id).name if kind == RUN else TrainingsView(paths).find(id).id
        return NoteBody(
            **asdict(change_note(paths.folder, kind, known, star=body.star, name=body.name, note=body.note))
        )
