"""The JSON of trainings and runs, which REST returns and the pages show."""

from typing import Any

from pydantic import BaseModel, Field


class NoteBody(BaseModel):
    """What people said about a run or a training."""

    star: bool = False
    name: str = ""
    note: str = ""


class ScoreBody(BaseModel):
    """How far samples are from the reals, by one extractor."""

    kid: float | None = None
    kid_error: float | None = None
    kid_floor: float | None = Field(None, description="the KID of one half of the reals against the other")
    extractor: str = ""
    verdict: str = Field("", description="what the KID means beside its floor")
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None


class TrainingBody(BaseModel):
    """A training in a list."""

    id: str = Field(description="the first 12 hex digits of its content key")
    number: int = Field(description="in the order in which they began; 0: not numbered yet")
    folder_name: str = Field(description="of its folder in generated/<dataset>")
    definition: str
    size: int | None = Field(description="pixels of a side")
    state: str = Field(description="running, unfinished, done, failed or deleted")
    error: str = Field(description="why it failed")
    began: str = Field(description="ISO 8601, UTC")
    seconds: float | None = Field(description="how long it took")
    epochs_planned: int | None
    epochs_done: int
    epochs: str = Field(description="the same in words")
    drawn_from: str = Field(description="which epoch the generator is of, and why")
    images: int | None = Field(description="how many kept squares it learned from")
    seed: int | None
    run: str = Field(description="the run that made it; empty if that is not known")
    score: ScoreBody | None = Field(description="of its newest samples")
    note: NoteBody


class SheetBody(BaseModel):
    """A sample sheet."""

    epoch: int
    images_seen: int | None
    url: str


class AlarmBody(BaseModel):
    """Something that was wrong with a training."""

    kind: str
    start: int
    end: int | None = Field(description="the first epoch without the problem; null while it lasts")
    text: str


class LatentsBody(BaseModel):
    """What the cells of the sheets are made from: the same numbers give the same latents.

    Each row of a sheet of a conditional GAN has a class; in its latents the number of that class is the largest.
    """

    seed: int | None
    size: int | None
    grid: int = Field(description="rows and columns of a sheet")
    gap: int = Field(description="pixels between the cells")


class TrainingDetail(TrainingBody):
    """All that there is to see of a training."""

    sheets: list[SheetBody]
    latents: LatentsBody
    best: str = Field(description="the lowest KID and its epoch, by the newest extractor")
    alarms: list[AlarmBody]
    notices: list[str]
    links: dict[str, str] = Field(description="addresses of what else there is")


class StatsBody(BaseModel):
    """The statistics of a training, thinned for curves."""

    rows: list[dict[str, Any]]
    of: int = Field(description="how many rows there are before they are thinned")
    problem: str = Field(description="why there are none")


class ChangeBody(BaseModel):
    """A setting, or the labels, that differ from the run before."""

    name: str
    before: str
    after: str


class StageBody(BaseModel):
    """How a stage of a run ended."""

    stage: str
    outcome: str
    text: str
    seconds: float | None
    key: str


class RunBody(BaseModel):
    """A run in a list."""

    name: str
    began: str
    seconds: float | None
    outcome: str = Field(description="done, failed, stopped, next, running or killed")
    reason: str
    trial: bool
    until: str = Field(description="the last stage that was asked for; empty for all")
    stages: list[StageBody]
    changes: list[ChangeBody] = Field(description="against the run before, trials apart")
    before: str = Field(description="the name of the run before; empty for the first")
    kept: str = Field(description="how many squares were kept, of how many")
    training: TrainingBody | None = Field(description="the training that it made or used")
    trained: bool = Field(description="it trained, and did not only use what was there")
    note: NoteBody


class RunDetail(RunBody):
    """A run with all its settings."""

    labels: str = Field(description="the digest of the labels when it began")
    settings: dict[str, Any] = Field(description="every setting, with those that are as the defaults have them")
    notes: list[str] = Field(description="warnings and notices, a line each")


class TrainingList(BaseModel):
    """The trainings of a dataset, the newest first."""

    trainings: list[TrainingBody]


class RunList(BaseModel):
    """A part of the runs of a dataset, the newest first."""

    total: int
    start: int
    runs: list[RunBody]


class DifferenceBody(BaseModel):
    """A setting or a field of a definition, with its value in each of what is compared."""

    name: str
    meaning: str
    values: list[str]


class LabelDifference(BaseModel):
    """Squares whose label differs in the same way; an empty label: none."""

    before: str
    after: str
    count: int
    ids: list[str] = Field(description="some of them")


class SquareDifference(BaseModel):
    """Squares that one keeps and the other does not."""

    count: int
    ids: list[str] = Field(description="some of them")


class SquareSetBody(BaseModel):
    """Labels and kept squares of a run or training, against the first one that is compared."""

    labels: str
    kept: str
    label_changes: list[LabelDifference]
    kept_before: SquareDifference | None = Field(description="kept only in the first one; null: not known")
    kept_now: SquareDifference | None = Field(description="kept only here; null: not known")


class SubjectBody(BaseModel):
    """What is compared."""

    kind: str = Field(description="run or training")
    id: str
    title: str
    run: str = Field(description="empty: its record was deleted")
    training: TrainingDetail | None


class ComparisonBody(BaseModel):
    """What differs between several runs or trainings."""

    subjects: list[SubjectBody]
    settings: list[DifferenceBody]
    definition: list[DifferenceBody]
    same_latents: bool = Field(description="the sheets of all trainings are drawn from the same latents")


class SquareSetsBody(BaseModel):
    """The labels and kept squares of what is compared, in the same order."""

    sets: list[SquareSetBody]
