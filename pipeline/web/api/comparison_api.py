"""REST: what differs between several runs or trainings."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query

from pipeline.web.bodies import DatasetName, documented
from pipeline.web.studio import Studio
from pipeline.web.trainings.comparison import (
    MOST,
    Subject,
    definition_differences,
    find_subjects,
    setting_differences,
)
from pipeline.web.trainings.history_bodies import ComparisonBody, SquareSetsBody, SubjectBody
from pipeline.web.trainings.square_sets import square_sets
from pipeline.web.trainings.trainings_view import TrainingsView

Names = Annotated[Sequence[Annotated[str, Query(max_length=700)]], Query(max_length=MOST)]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add comparisons to the REST interface."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}/comparison", tags=["runs"])

    @router.get("", responses=documented(404, 409, 422), summary="What differs between runs or trainings")
    def comparison(
        dataset: DatasetName,
        runs: Names = (),
        trainings: Names = (),
    ) -> ComparisonBody:
        """What differs between runs or trainings."""
        paths = studio.paths(dataset)
        return compare(TrainingsView(paths), find_subjects(paths, runs, trainings))

    @router.get("/squares", responses=documented(404, 409, 422), summary="How their labels and kept squares differ")
    def squares(
        dataset: DatasetName,
        runs: Names = (),
        trainings: Names = (),
    ) -> SquareSetsBody:
        """How their labels and kept squares differ."""
        paths = studio.paths(dataset)
        return SquareSetsBody(sets=square_sets(paths, find_subjects(paths, runs, trainings)))

    app.include_router(router)


def compare(view: TrainingsView, subjects: list[Subject]) -> ComparisonBody:
    """The comparison of `subjects`, without their squares."""
    bodies = [_body(view, each) for each in subjects]
    latents = {each.training.latents.model_dump_json() for each in bodies if each.training}
    seeds = [each.training.latents.seed for each in bodies if each.training]
    return ComparisonBody(
        subjects=bodies,
        settings=setting_differences(subjects)[0],
        definition=definition_differences(subjects)[0],
        same_latents=len(latents) == 1 and None not in seeds,
    )


def _body(view: TrainingsView, subject: Subject) -> SubjectBody:
    training = view.detail(subject.training) if subject.training else None
    run = subject.run.name if subject.run else ""
    return SubjectBody(kind=subject.kind, id=subject.id, title=subject.title, run=run, training=training)
