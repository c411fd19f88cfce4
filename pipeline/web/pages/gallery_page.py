"""The gallery: one training, or two beside each other, with a slider over epochs, curves, alarms and scores."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse

from pipeline.report.training_files import RUNNING
from pipeline.web.charts import DrawnChart
from pipeline.web.rendering import html
from pipeline.web.studio import Studio
from pipeline.web.trainings.history_bodies import TrainingDetail
from pipeline.web.trainings.training_charts import training_charts
from pipeline.web.trainings.trainings_view import DELETED, FoundTraining, TrainingsView

Id = Annotated[str, Query(max_length=40)]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One training on the page."""

    title: str
    detail: TrainingDetail
    charts: list[DrawnChart]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the gallery to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/gallery")
    def gallery(dataset: str, training: Id = "", beside: Id = "") -> HTMLResponse:
        view = TrainingsView(studio.paths(dataset))
        found = [each for each in view.all() if each.state != DELETED]
        chosen = [view.find(training)] if training else found[:1]
        chosen += [view.find(beside)] if beside and chosen and beside != chosen[0].id else []
        sides = [make_side(view, each, f"chart{number}") for number, each in enumerate(chosen)]
        running = any(side.detail.state == RUNNING for side in sides)
        return html(
            "gallery", dataset=dataset, tab="gallery", trainings=found, sides=sides, api=view.api, running=running
        )

    app.include_router(router)


def make_side(view: TrainingsView, found: FoundTraining, id: str) -> Side:
    """What a page shows of a training; `id` tells its charts from others on the page."""
    charts = training_charts(found.course(), id, drawn=found.drawn)
    return Side(title=found.title, detail=view.detail(found), charts=charts)
