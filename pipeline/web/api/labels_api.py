"""Squares and labels of a dataset over REST: read, search, label, and ask why a picture is not in."""

from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, Field

from pipeline.web.bodies import DatasetName, documented
from pipeline.web.labelling import views
from pipeline.web.labelling.label_bodies import MAX_TEXT, Label, LabelChanges, LabelsWritten, SquarePage, written
from pipeline.web.studio import Studio

MAX_LABELS = 1000  # labels in one answer

View = Literal[views.VIEWS]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
Text = Annotated[str, Query(max_length=MAX_TEXT)]
Start = Annotated[int, Query(ge=0, le=10**9, description="position of the first one")]


class SquareQuery(SquarePage):
    """A page of squares of a view."""

    view: View = "all"


class LabelledSquare(BaseModel):
    """A square and its label."""

    id: str
    label: Label = Field(description="on target, off target, or unsure (shown as skip)")


class LabelsPage(BaseModel):
    """Current labels, ordered by id."""

    revision: str = Field(description="changes with every label")
    total: int
    start: int
    labels: list[LabelledSquare]


class Square(BaseModel):
    """A square with what is known about it."""

    id: str
    version: str
    width: int | None = Field(description="pixels of the original")
    height: int | None
    url: str
    page: str
    title: str
    source: str
    host: str
    creator: str
    license: str
    score: float | None = Field(description="the filter's probability that it is on target")
    spread: float | None
    suspect: bool = Field(description="the label contradicts the score, and may be wrong")
    outcome: str | None = Field(description="kept, rejected, or unsure (shown as borderline); null before a filter")
    label: Label | None


class SquaresPage(BaseModel):
    """Squares of a view."""

    order: str = Field(description="give it back to get the next page of the same order")
    total: int
    start: int
    revision: str
    generation: str = Field(description="names the artifacts that this was read from")
    pictures: list[Square]


class WhyAnswer(BaseModel):
    """What became of one picture."""

    state: str = Field(description="kept, rejected, borderline, unscored, duplicate or failed")
    text: str = Field(description="why, in a sentence")
    id: str = Field(description="empty if nothing was downloaded")
    file: str = Field(description="the last part of its URL")
    title: str
    url: str
    page: str
    creator: str
    width: int | None
    height: int | None
    square: str | None = Field(description="id of its square, or of the square that it repeats")


class WhyAnswers(BaseModel):
    """What became of the pictures that were asked for; those that are not in come first."""

    total: int
    found: list[WhyAnswer]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the squares and labels to `app`."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}", tags=["labels"])
    _add_labels(router, studio)
    _add_squares(router, studio)
    app.include_router(router)


def _add_labels(router: APIRouter, studio: Studio) -> None:
    @router.get("/labels", response_model=LabelsPage, responses=documented(404, 409, 422))
    def labels(
        dataset: DatasetName, start: Start = 0, count: Annotated[int, Query(ge=1, le=MAX_LABELS)] = MAX_LABELS
    ) -> dict[str, object]:
        """The current labels, ordered by id."""
        label_sync = studio.view(dataset).label_sync
        revision = label_sync.revision()
        found = sorted(label_sync.labels().items())
        page = [{"id": id, "label": label} for id, label in found[start : start + count]]
        return {"revision": revision, "total": len(found), "start": start, "labels": page}

    @router.post("/labels", response_model=LabelsWritten, responses=documented(400, 403, 404, 409, 413, 415, 422, 503))
    def change_labels(dataset: DatasetName, body: LabelChanges) -> dict[str, object]:
        """Label squares. An edit is refused if the label is not one of `previous` any more."""
        return written(studio.view(dataset).edit_labels(body.edits()))


def _add_squares(router: APIRouter, studio: Studio) -> None:
    @router.get("/squares", response_model=SquaresPage, responses=documented(404, 422))
    def squares(dataset: DatasetName, query: Annotated[SquareQuery, Query()]) -> dict[str, object]:
        """A page of squares: of a view, found by `search` in file name, site, title, creator, addresses or id."""
        return studio.view(dataset).page(query.view, query)

    @router.get("/why", response_model=WhyAnswers, responses=documented(404, 422))
    def why(dataset: DatasetName, search: Text) -> dict[str, object]:
        """Why pictures are in or not: kept, rejected, duplicate of another, too small, failed."""
        return studio.view(dataset).why(search)
