"""The page of runs: every run, or every training, of a dataset, with stars, names and notes."""

from collections import defaultdict
from dataclasses import asdict
from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse

from pipeline.web.rendering import html
from pipeline.web.studio import Studio
from pipeline.web.trainings.history_bodies import RunBody
from pipeline.web.trainings.runs_view import SHOWS, SORTS, RunsView, Show, Sort, Wanted
from pipeline.web.trainings.training_list import (
    TRAINING_SHOWS,
    TRAINING_SORTS,
    TrainingShow,
    WantedTrainings,
    list_trainings,
)
from pipeline.web.trainings.trainings_view import TrainingsView

COUNT = 50  # on one page


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page of runs to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/runs")
    def runs(
        dataset: str,
        list: Literal["runs", "trainings"] = "runs",
        show: Show | TrainingShow = "all",
        sort: Sort = "newest",
        text: Annotated[str, Query(max_length=200)] = "",
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> HTMLResponse:
        if list == "trainings":
            chosen = show if show in TRAINING_SHOWS else "all"
            return _trainings_page(studio, dataset, WantedTrainings(show=chosen, sort=sort, text=text), start)
        return _runs_page(studio, dataset, Wanted(show=show if show in SHOWS else "all", sort=sort, text=text), start)

    app.include_router(router)


def _runs_page(studio: Studio, dataset: str, wanted: Wanted, start: int) -> HTMLResponse:
    view = RunsView(studio.paths(dataset))
    total, found = view.page(wanted, start=start, count=COUNT)

    return html(
        "runs",
        dataset=dataset,
        tab="runs",
        api=view.trainings.api,
        kind="runs",
        wanted=wanted,
        shows=SHOWS,
        sorts=SORTS,
        runs=found,
        total=total,
        start=start,
        count=COUNT,
        page_url=partial(_page_url, "runs", wanted),
        stage_words=stage_words,
    )


def _trainings_page(studio: Studio, dataset: str, wanted: WantedTrainings, start: int) -> HTMLResponse:
    view = TrainingsView(studio.paths(dataset))
    found = list_trainings(view, wanted)
    return html(
        "runs",
        dataset=dataset,
        tab="runs",
        api=view.api,
        kind="trainings",
        wanted=wanted,
        shows=TRAINING_SHOWS,
        sorts=TRAINING_SORTS,
        trainings=found[start : start + COUNT],
        total=len(found),
        start=start,
        count=COUNT,
        page_url=partial(_page_url, "trainings", wanted),
    )


def _page_url(kind: str, wanted: Wanted | WantedTrainings, start: int) -> str:
    return "?" + urlencode({"list": kind, **asdict(wanted), "start": start})


def stage_words(run: RunBody) -> str:
    """Which stages ran and which were reused, in one line."""
    stages = defaultdict(list)
    for stage in run.stages:
        stages[stage.outcome].append(stage.stage)
    return "; ".join(f"{outcome} {', '.join(names)}" for outcome, names in stages.items())
