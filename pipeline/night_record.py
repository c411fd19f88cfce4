"""The records of a night as JSON files: the plan, the turn of each subject, and the summary of all of it.

data/nightly/<date>/
    night.json              the plan: when the night began, its subjects in order, and why each has its place
    running/<subject>.json  the process of the turn that is at work; `before` are the figures before it
    subjects/<subject>.json the turn that a subject had, or why it had none
    logs/<subject>.txt      what the process of a subject printed
    summary.json            what the page, the mail, the webhook and /metrics say
    news.json               that mail and webhook were sent, and what became of them

tasks/nightly writes them; the page of the morning and the studio read them. A file that is damaged counts as missing.
"""

from datetime import date
from pathlib import Path
from typing import Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.store.atomic import write_whole

# done, next (it asks for something, as for labels), failed (a stage, or its settings), killed (its process died), hung
# (ended as it was over its time), waited (ended as it waited so long for another run), cut (the hours of the night were
# over while it worked), stopped (by a person), skipped (the hours were over before its turn), covered (a missed night:
# it has had a turn since)
Outcome = Literal["done", "next", "failed", "killed", "hung", "waited", "cut", "stopped", "skipped", "covered"]
BAD: tuple[Outcome, ...] = ("failed", "killed", "hung")  # somebody should look at it
HAD_TURN: tuple[Outcome, ...] = ("done", "next", *BAD)  # a missed night has nothing to make up for
WITHOUT_TURN: tuple[Outcome, ...] = ("skipped", "cut", "stopped", "waited")  # comes first in the next night
GOES_ON: tuple[Outcome, ...] = ("skipped", "cut")  # the same night still gives the turn if it is allowed more hours
PLAN, SUMMARY, NEWS = "night.json", "summary.json", "news.json"
PAGE = "index.html"  # in generated/nightly/<date>
TURNS, RUNNING, LOGS = "subjects", "running", "logs"
LARGEST = 16 << 20  # bytes of a file that is read; the summary of a thousand subjects has less


class Record(BaseModel):
    """What is written to a file. Fields that another version adds are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Figures(Record):
    """What the artifacts of a dataset say that its last run used; None: that stage never ran."""

    pictures: int | None = None
    squares: int | None = None
    kept: int | None = None
    epochs: int | None = None
    kid: float | None = None
    kid_error: float | None = None
    measured_by: str = ""  # what the KID depends on beside the samples: extractor, its weights, size of the squares
    kept_digest: str = ""  # of the squares that the samples are compared with


class Turn(Record):
    """The turn of one subject in one night, or why it had none."""

    subject: str
    need: str = ""  # why it has its place in the order
    outcome: Outcome
    line: str = ""  # how it ended, in one line
    began: str = ""  # ISO 8601, UTC; empty if it had no turn
    seconds: float = 0.0
    run: str = ""  # the folder of its run record
    log: str = ""
    before: Figures = Field(default_factory=Figures)
    after: Figures = Field(default_factory=Figures)
    alarms: tuple[str, ...] = ()  # of the training that last
    wants: str = ""  # what would help that a person does
    bytes: int = 0  # of all its folders
    sheet: str = ""  # the newest sample sheet
    columns: int = 0  # of samples on it; 0: not known

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.outcome in BAD

    @property
    def new_pictures(self) -> int | None:
        """How many pictures came in; None if it had no turn, or has no pictures."""
        if not self.began or self.after.pictures is None:
            return None
        return max(0, self.after.pictures - (self.before.pictures or 0))


class RunningTurn(Record):
    """The process of a turn that is at work, so that another command can follow it after this one was killed."""

    pid: int
    born: float | None
    began: str
    before: Figures = Field(default_factory=Figures)


class PlannedSubject(Record):
    """A subject and why it has its place."""

    name: str
    need: str = ""


class NightPlan(Record):
    """The subjects of a night, in the order of their turns."""

    began: str
    subjects: tuple[PlannedSubject, ...]

    def needs(self) -> dict[str, str]:
        """Why each subject has its place, in order."""
        return {each.name: each.need for each in self.subjects}


class NightSummary(Record):
    """A whole night."""

    date: date
    began: str
    ended: str
    turns: tuple[Turn, ...]
    hours: float = 0.0  # that it was allowed; 0: any number
    freed: int = 0  # bytes that were deleted to keep the budget of disk
    bytes: int = 0  # of all datasets
    disk_free: int = 0  # bytes
    budget: str = ""  # one line if the budget of disk could not be kept, or the page could not be written

    @property
    def outcome(self) -> str:
        """`failed` if a subject failed, `next` if one asks for something, `done` otherwise."""
        found = {turn.outcome for turn in self.turns}
        return "failed" if found & set(BAD) else "next" if "next" in found else "done"

    @property
    def seconds(self) -> float:
        """How long all turns took together."""
        return sum(turn.seconds for turn in self.turns)

    def counts(self) -> dict[str, int]:
        """How many subjects have each outcome, in the order of `Outcome`, without those that none has."""
        found = [turn.outcome for turn in self.turns]
        return {word: found.count(word) for word in get_args(Outcome) if word in found}


class News(Record):
    """What became of mail and webhook; `summary` is the SHA-256 of the summary that they were about."""

    summary: str
    mail: str = ""
    webhook: str = ""


AnyRecord = TypeVar("AnyRecord", bound=Record)


def read(path: Path, kind: type[AnyRecord]) -> AnyRecord | None:
    """The record in the file `path`; None if it is missing or damaged."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write(path: Path, record: Record) -> None:
    """Make `record` the content of the file `path`, atomically. Errors: `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, encoded(record), unique=True)


def encoded(record: Record) -> bytes:
    """The content of the file of a record."""
    return record.model_dump_json(indent=1).encode("utf-8", "replace") + b"\n"


def nights(folder: Path) -> list[Path]:
    """The folders of all nights in `folder`, the newest first."""
    try:
        found = [path for path in folder.iterdir() if night_of(path) and path.is_dir()]
    except OSError:
        return []
    return sorted(found, reverse=True)


def night_of(folder: Path) -> date | None:
    """The date that names the folder of a night; None for any other folder."""
    try:
        return date.fromisoformat(folder.name) if len(folder.name) == 10 else None
    except ValueError:
        return None


def newest_summary(folder: Path) -> NightSummary | None:
    """The summary of the newest night in `folder` that has one."""
    found = (read(night / SUMMARY, NightSummary) for night in nights(folder))
    return next((summary for summary in found if summary), None)
