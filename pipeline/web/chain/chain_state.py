"""What the overview page shows of a dataset, as JSON: its stages, the run that works and its training."""

from typing import Literal

from pydantic import BaseModel, Field

from pipeline.web.chain.stage_figures import Figure
from pipeline.web.datasets.dataset_cards import NextStep

StageWord = Literal[
    "up to date", "will run", "may run", "running", "failed", "stopped", "needs you", "made", "not made"
]
RunWord = Literal["none", "queued", "running", "done", "failed", "stopped", "next", "ended"]


class StageState(BaseModel):
    """One stage of the chain."""

    stage: str
    state: StageWord = Field(
        description="by the plan of a run; 'needs you': a person does something first; 'made' and 'not made' while no"
        " plan is known"
    )
    reason: str = Field("", description="why it runs, exactly as the command `plan` says it")
    remark: str = Field("", description="what it works with")
    headline: str = Field("", description="what its last artifact has, in a few words")
    figures: list[Figure] = []
    notices: list[str] = []
    seconds: float | None = Field(None, description="how long it took when its last artifact was made")
    time: str = Field("", description="how long it took, or is expected to take; empty if nothing is known")
    artifact: str = Field("", description="the folder of its last artifact")
    percent: int | None = Field(None, description="how far it is, if it works now and knows")


class RunShown(BaseModel):
    """The run that works now, or else the last one."""

    state: RunWord
    until: str = Field("", description="the last stage that was asked for; empty for the whole chain")
    began: str = Field("", description="ISO 8601, UTC")
    here: bool = Field(True, description="the studio started it")
    stage: str = ""
    stage_key: str = Field("", description="the content key of what it makes")
    stage_began: str = Field("", description="ISO 8601, UTC")
    done: int = 0
    total: int = Field(0, description="0 if not known")
    percent: int | None = None
    note: str = Field("", description="how far the stage is in words, or what it waits for")
    seconds_left: float | None = Field(None, description="of this stage, roughly; None if nothing is known")
    left: str = Field("", description="the same in words")
    outcome: str = Field("", description="one line, when it is over")
    lines: list[str] = Field([], description="the last lines that the console printed")
    stopping: bool = False


class ScoreShown(BaseModel):
    """The score of the samples of one epoch."""

    epoch: int
    kid: float
    kid_error: float | None
    extractor: str


class AlarmShown(BaseModel):
    """Something that is wrong with a training, or was."""

    kind: str
    start: int = Field(description="the first epoch with the problem")
    end: int | None = Field(description="the first epoch without it; None while it lasts")
    text: str


class TrainingShown(BaseModel):
    """A training: how far it is, its newest sample sheet, scores and alarms."""

    key: str
    name: str = Field(description="its number, definition and size, as in 001-dcgan-48px")
    epoch: int = Field(description="the last one that is done")
    epochs: int | None = Field(description="as many as were asked for; None: until it no longer improves")
    step: int = 0
    d_loss: float | None = None
    g_loss: float | None = None
    images_per_second: float | None = None
    sheet: str = Field("", description="the address of the newest sample sheet; empty without one")
    sheet_epoch: int = 0
    scores: list[ScoreShown] = []
    lowest: str = Field("", description="the lowest KID in words")
    alarms: list[AlarmShown] = []


class ChainState(BaseModel):
    """How a dataset stands."""

    dataset: str
    version: str = Field(description="changes whenever more changes than how far a run is")
    plan: Literal["current", "being made", "failed"] = Field(description="of the stages' states")
    plan_error: str = ""
    stages: list[StageState]
    run: RunShown
    training: TrainingShown | None = Field(None, description="the training that works now, or else the last one")
    next: NextStep
