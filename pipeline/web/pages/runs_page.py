"""The page of runs: every run, or every training, of a dataset, with stars, names and notes."""

from collections import defaultdict
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse

from pipeline.web.rendering import html
from pipeline.web.studio import Studio
from pipeline.web.trainings.history_bodies import RunBody
from pipeline.web.trainings.runs_view import SHOWS, SORTS, RunsView, Show, Sort, Wanted
from pipeline.web.trainings.trainings_view import TrainingsView

COUNT = 50  # on one page


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page of runs to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/runs")
    def runs(
        dataset: str,
        list: Literal["runs", "trainings"] = "runs",
        show: Show = "all",
        sort: Sort = "newest",
        text: Annotated[str, Query(max_length=200)] = "",
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> HTMLResponse:
        if list == "trainings":
            return _trainings_page(studio, dataset, start)
        return _runs_page(studio, dataset, Wanted(show=show, sort=sort, text=text), start)

    app.include_router(router)


def _runs_page(studio: Studio, dataset: str, wanted: Wanted, start: int) -> HTMLResponse:
    view = RunsView(studio.paths(dataset))
    total, found = view.page(wanted, start=start, count=COUNT)

    def page_url(start: int) -> str:
        values = {"show": wanted.show, "sort": wanted.sort, "text": wanted.text, "start": start}
        return "?" + urlencode(values)

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
        page_url=page_url,
        stage_words=stage_words,
    )


def _trainings_page(studio: Studio, dataset: str, start: int) -> HTMLResponse:
    view = TrainingsView(studio.paths(dataset))
    found = view.all()
    return html(
        "runs",
        dataset=dataset,
        tab="runs",
        api=view.api,
        kind="trainings",
        trainings=[view.body(each) for each in found[start : start + COUNT]],
        total=len(found),
        start=start,
        count=COUNT,
        page_url=lambda start: "?" + urlencode({"list": "trainings", "start": start}),
    )


def stage_words(run: RunBody) -> str:
    """Which stages ran and which were reused, in one line."""
    stages = defaultdict(list)
    for stage in run.stages:
        stages[stage.outcome].append(stage.stage)
    return "; ".join(f"{outcome} {', '.join(names)}" for outcome, names in stages.items())
