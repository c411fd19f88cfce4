"""The comparison of two or more runs or trainings."""

from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.api.comparison_api import Names, compare
from pipeline.web.charts import DrawnChart
from pipeline.web.rendering import html
from pipeline.web.studio import Studio
from pipeline.web.trainings.comparison import (
    Subject,
    definition_differences,
    find_subjects,
    setting_differences,
)
from pipeline.web.trainings.history_bodies import ComparisonBody, SubjectBody
from pipeline.web.trainings.training_charts import NamedCourse, compared_charts
from pipeline.web.trainings.trainings_view import DELETED, TrainingsView


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page of comparisons to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/compare")
    def comparison(dataset: str, runs: Names = (), trainings: Names = ()) -> HTMLResponse:
        paths = studio.paths(dataset)
        subjects, view = find_subjects(paths, runs, trainings), TrainingsView(paths)
        found = compare(view, subjects)
        return html(
            "compare",
            dataset=dataset,
            tab="runs",
            api=view.api,
            subjects=list(zip("ABCDEF", found.subjects, strict=False)),
            sides=_sides(found),
            found=found,
            query=urlencode([("runs", name) for name in runs] + [("trainings", name) for name in trainings]),
            same_settings=setting_differences(subjects)[1],
            same_fields=definition_differences(subjects)[1],
            without_definition=[each.title for each in subjects if each.definition is None],
            scores=scores_by_extractor(found),
            charts=_charts(subjects),
            deleted=DELETED,
        )

    app.include_router(router)


def _sides(found: ComparisonBody) -> list[dict[str, object]]:
    """The trainings that have sheets, each once: two runs may have used the same."""
    sides: dict[str, dict[str, object]] = {}
    for letter, each in zip("ABCDEF", found.subjects, strict=False):
        if each.training and each.training.sheets:
            sides.setdefault(each.training.id, {"title": f"{letter}: {each.title}", "detail": each.training})
    return list(sides.values())


def scores_by_extractor(found: ComparisonBody) -> dict[str, list[tuple[str, SubjectBody]]]:
    """Which subjects have scores by each extractor, with their letters: only those can be compared."""
    scores: dict[str, list[tuple[str, SubjectBody]]] = {}
    for letter, each in zip("ABCDEF", found.subjects, strict=False):
        if each.training and each.training.score:
            scores.setdefault(each.training.score.extractor, []).append((letter, each))
    return scores


def _charts(subjects: list[Subject]) -> list[DrawnChart]:
    courses = {
        each.training.id: NamedCourse(label=f"{letter}: {each.title}", course=each.training.course())
        for letter, each in reversed(list(zip("ABCDEF", subjects, strict=False)))
        if each.training
    }
    return compared_charts(list(courses.values())[::-1])
