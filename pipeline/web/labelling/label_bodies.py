"""What is asked and answered about squares and labels, over REST and by the label page's own script."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from pipeline.web.bodies import Id, StrictBody
from pipeline.web.labelling import views
from pipeline.web.labelling.label_sync import EditResult, LabelEdit

MAX_EDITS = 1000
MAX_SQUARES = 200  # of one answer
MAX_TEXT = 2000

Label = Literal["on", "off", "unsure"]
Sort = Literal[("", *views.SORTS)]  # type: ignore[valid-type]  # FastAPI checks the names when a request comes
PREVIOUS = "the labels that it may have now, as far as you know; null is no label. Left out: any"
ANY: tuple[Label | None, ...] = (None, "on", "off", "unsure")


class LabelChange(StrictBody):
    """A label that a square is given; null removes it."""

    id: Id
    label: Label | None
    previous: list[Label | None] | None = Field(default=None, min_length=1, max_length=8, description=PREVIOUS)


class LabelChanges(StrictBody):
    """Label edits in the order in which they were made."""

    labels: list[LabelChange] = Field(min_length=1, max_length=MAX_EDITS)

    def edits(self) -> Sequence[LabelEdit]:
        """The same, as the dataset makes them."""
        return [
            LabelEdit(id=each.id, label=each.label, previous=frozenset(each.previous or ANY)) for each in self.labels
        ]


class RefusedChange(BaseModel):
    """An edit that was not made, because the label had been changed to `now` meanwhile."""

    id: str
    label: Label | None
    now: Label | None


class LabelsWritten(BaseModel):
    """What the edits did; it is on the disk."""

    labels: dict[str, Label | None] = Field(description="the current label of each edited square")
    refused: list[RefusedChange]
    written: list[int] = Field(description="positions of the edits that changed a label")
    revision: str


class Searched(BaseModel):
    """The squares among which is looked: of a source, and found by a search."""

    source: str = Field("", max_length=MAX_TEXT, description="found=… or host=…; empty for all")
    search: str = Field("", max_length=MAX_TEXT, description="in file name, site, title, creator, addresses and id")

    def selection(self) -> views.Selection:
        """The same, as views take it."""
        return views.Selection(source=self.source, search=self.search)


class SquarePage(Searched):
    """A page of squares in an order."""

    sort: Sort = ""
    order: str = Field("", max_length=40, description="of the page before, to get the next one of the same order")
    start: Annotated[int, Field(ge=0, le=10**9, description="position of the first one")] = 0
    count: Annotated[int, Field(ge=1, le=MAX_SQUARES)] = MAX_SQUARES


def written(result: EditResult) -> dict[str, Any]:
    """What edits did, as `LabelsWritten` has it."""
    refused = [{"id": each.id, "label": each.label, "now": each.now} for each in result.refused]
    return {"labels": result.labels, "refused": refused, "written": result.written, "revision": result.revision}
