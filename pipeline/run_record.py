"""The record of a run as JSON lines: the fields of each event, the line that a person sees, and how the run stands.

A run appends to `data/<dataset>/runs/<run>/record.jsonl`; tasks/run_log.py writes it. The console prints these events,
luigid is told of them and the label page reads them: none of the three has another source.

event        fields                                      when it is written
start        pid, born, host, versions                   first; `born` is `process_start(pid)`
options      settings, labels, forced, once              what the run was asked for; `once`: it is a trial
plan         until, stages                               the stages it needs, in order; `until` is empty for all stages
wait         stage, reason                               it waits for a lock, or for luigid (then `stage` is empty)
note         stage, text                                 a warning or a notice
stage_start  stage, key                                  the stage begins to work
progress     stage, done, total, note                    `total` 0: not known yet; at most one a second
stage        stage, outcome, key, made, error, seconds   it ended: ran, reused, failed, stopped or next
end          outcome, error, seconds                     the run ended: done, failed, stopped or next

Every event has `time` in UTC. A stage that ran also has `summary`, the figures of its manifest. Readers skip a line
that is incomplete or lacks these fields, and a kind that they do not know: another version may have written the record.
"""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import DamagedState
from pipeline.store.jsonl import parse_row
from pipeline.text import to_plain_line

NAME = "record.jsonl"
LONGEST_LINE = 2000  # characters of any other text: an error may quote what was given
LARGEST = 8 << 20  # bytes of a record that are read; a run of a month writes less than 1 MB
HEAD = 64 << 10  # bytes of the beginning that are read of a larger record; the rest is its end
PROGRESS, BEGIN = b'"event": "progress"', 100  # what a line on progress has among its first bytes
ENDS_THE_RUN = ("failed", "stopped", "next")  # outcomes of a stage after which no later stage can run; `next`: the user
# does something first, which the stage names
NEWEST_RUNS = 30  # that `keys_used` reads
SHOWN_LINES = 12  # the newest lines that `RunState` keeps


class Event(BaseModel):
    """One line of a record. Fields that another version adds are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)
    event: str
    time: str

    def line(self) -> str:
        """The event as one line for a person; empty for what only programs read."""
        return ""

    def row(self) -> dict[str, Any]:
        """The event as a JSON object, without the fields that were not given."""
        return self.model_dump(exclude_unset=True)


class RunStarted(Event):
    """The first event: which process makes this run."""

    pid: int = 0
    born: float | None = None
    host: str = ""


class RunOptions(Event):
    """What the run was asked for; one with `once` is a trial, which later commands do not speak of."""

    labels: str = ""
    once: bool = False


class RunPlanned(Event):
    """The stages that the run needs."""

    until: str = ""
    stages: list[str]


class Waiting(Event):
    """The run waits for something else to end."""

    stage: str = ""
    reason: str

    def line(self) -> str:
        return line_about(self.stage, f"waits: {self.reason}")


class Noted(Event):
    """A warning or a notice about a stage."""

    stage: str
    text: str

    def line(self) -> str:
        return line_about(self.stage, self.text)


class StageStarted(Event):
    """A stage begins to work."""

    stage: str
    key: str | None = None

    def line(self) -> str:
        return line_about(self.stage, "starts")


class StageAdvanced(Event):
    """`done` of `total` units of a stage are finished."""

    stage: str
    done: int
    total: int
    note: str = ""

    @property
    def percent(self) -> int | None:
        """From 0 to 100; None if the total is not known."""
        return min(100, max(0, 100 * self.done // self.total)) if self.total > 0 else None

    @property
    def words(self) -> str:
        """The note; if the total is not known it begins with what is done, whose unit it names."""
        return self.note if self.percent is not None else f"{self.done} {self.note}".rstrip()

    def line(self) -> str:
        count = "" if self.percent is None else f"{self.done} of {self.total} ({self.percent} %) "
        return line_about(self.stage, f"{count}{self.words}".rstrip())


class StageEnded(Event):
    """A stage ended; `made` says what it made, `error` why it failed or stopped, or what the user does next."""

    stage: str
    outcome: Literal["ran", "reused", "failed", "stopped", "next"]
    key: str | None = None
    made: str = ""
    error: str = ""
    seconds: float | None = None

    def line(self) -> str:
        if self.outcome in ENDS_THE_RUN:
            return line_about(self.stage, f"{self.outcome}: {self.error}".rstrip(": "))
        took = "" if self.seconds is None else f" ({duration(self.seconds)})"
        return line_about(self.stage, f"{self.made or self.outcome}{took}")


class RunEnded(Event):
    """The last event; `error` is one line that says why the run failed or stopped, or what the user does next."""

    outcome: Literal["done", "failed", "stopped", "next"]
    error: str = ""

    def line(self) -> str:
        return to_plain_line(self.error, LONGEST_LINE)


KINDS: dict[str, type[Event]] = {
    "start": RunStarted,
    "options": RunOptions,
    "plan": RunPlanned,
    "wait": Waiting,
    "note": Noted,
    "stage_start": StageStarted,
    "progress": StageAdvanced,
    "stage": StageEnded,
    "end": RunEnded,
}


def line_about(stage: str, text: str) -> str:
    """One line about `stage`, whose name has a column of its own; control characters are taken out."""
    return to_plain_line(f"{stage:<11}{text}" if stage else text, LONGEST_LINE)


def duration(seconds: float) -> str:
    """`3.2 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def read_events(path: Path, *, progress: bool = True) -> list[Event]:
    """The events in the record `path` that are whole and of a known kind; none if the file cannot be read.

    Without `progress` those events are left out: most lines of a long run, which a list of many runs need not parse.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                file.seek(HEAD - LARGEST, 2)
                data = data[:HEAD].rpartition(b"\n")[0] + b"\n" + file.read(LARGEST).partition(b"\n")[2]
    except OSError:
        return []
    lines = data.splitlines(keepends=True)
    return list(_valid_events(lines if progress else (line for line in lines if PROGRESS not in line[:BEGIN])))


def _valid_events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            row = parse_row(line, NAME)
            yield KINDS[row["event"]].model_validate(row)
        except (DamagedState, ValidationError, KeyError, TypeError):  # TypeError: `event` is a list
            continue


@dataclass(kw_only=True)
class RunState:
    """How a run stands by its record; `add` takes it on by one event."""

    name: str  # of its folder; sorts by the time at which the run began
    began: str = ""  # ISO 8601, UTC
    pid: int = 0
    born: float | None = None
    host: str = ""
    labels: str = ""  # the digest of the labels when it began
    is_trial: bool = False
    until: str = ""  # the last stage that was asked for; empty for the whole chain
    planned: tuple[str, ...] = ()
    stage: str = ""  # the newest that began or waits
    waits: str = ""  # what for
    started: dict[str, StageStarted] = field(default_factory=dict)  # how each stage began last
    keys: dict[str, str] = field(default_factory=dict)  # the content key that each stage makes or uses
    advanced: dict[str, StageAdvanced] = field(default_factory=dict)  # the newest progress of each stage
    ended: dict[str, StageEnded] = field(default_factory=dict)  # the stages that ended, in that order
    end: RunEnded | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))  # the newest that a person sees

    @property
    def progress(self) -> StageAdvanced | None:
        """How far the stage is that works now; None if it does not say, or none works."""
        return None if self.waits or self.stage in self.ended else self.advanced.get(self.stage)

    @property
    def outcome(self) -> str:
        """'done', 'failed', 'stopped' or 'next'; empty if neither the run nor a stage that ended it says so."""
        if self.end:
            return self.end.outcome
        outcomes = {each.outcome for each in self.ended.values()}
        return next((word for word in ENDS_THE_RUN if word in outcomes), "")

    @property
    def final_line(self) -> str:
        """One line that says how the run ended: the error, or what the last stage made."""
        if self.outcome == "done":
            last = self.ended.get(self.planned[-1]) if self.planned else None
            last = last or next(reversed(self.ended.values()), None)
            text = f"{last.stage} {last.made or last.outcome}" if last else ""
        else:
            fault = next((each for each in self.ended.values() if each.outcome == self.outcome), None)
            text = (self.end.line() if self.end else "") or (fault.line() if fault else "")
        return " ".join(to_plain_line(text, LONGEST_LINE).split())

    def add(self, event: Event) -> None:
        """Take `event`, the next of the record, into account."""
        self.began = self.began or event.time
        match event:
            case RunStarted():
                self.pid, self.born, self.host = event.pid, event.born, event.host
            case RunOptions():
                self.labels, self.is_trial = event.labels, event.once
            case RunPlanned():
                self.until, self.planned = event.until, tuple(event.stages)
            case Waiting():
                self.stage, self.waits = event.stage, event.reason
            case StageStarted():
                self.stage, self.waits, self.started[event.stage] = event.stage, "", event
                self.advanced.pop(event.stage, None)
                self.ended.pop(event.stage, None)
            case StageAdvanced():
                if self.lines and event.stage in self.advanced and self.lines[-1] == self.advanced[event.stage].line():
                    self.lines.pop()  # of several lines on the progress of a stage the newest is enough
                self.stage, self.waits, self.advanced[event.stage] = event.stage, "", event
            case StageEnded():
                self.ended.pop(event.stage, None)
                self.ended[event.stage] = event
            case RunEnded():
                self.end, self.waits = event, ""
        if isinstance(event, StageStarted | StageEnded) and event.key:
            self.keys[event.stage] = event.key
        line = event.line()
        if line and [line] != list(self.lines)[-1:]:  # a run often ends with the error of its last stage
            self.lines.append(line)


def seconds_waited(events: Iterable[Event], now: datetime) -> float:
    """For how many seconds the run with these events has waited for something else to end, until `now`."""
    waited, since = 0.0, None
    for event in events:
        with suppress(ValueError, TypeError):  # a time that is none, or without a time zone
            moment = datetime.fromisoformat(event.time)
            if isinstance(event, Waiting):
                since = since or moment
            elif since and not isinstance(event, Noted):
                waited, since = waited + (moment - since).total_seconds(), None
    return waited + (now - since).total_seconds() if since else waited


def read_state(folder: Path) -> RunState:
    """How the run recorded in `folder` stands."""
    state = RunState(name=folder.name)
    for event in read_events(folder / NAME):
        state.add(event)
    return state


def keys_used(runs: Path, stage: str) -> list[str]:
    """The content keys of the artifacts of `stage` that the newest runs in `runs` made or used, the last one first;
    trials are left out."""
    folders = sorted((path for path in runs.glob("*") if (path / NAME).exists()), reverse=True)[:NEWEST_RUNS]
    records = (read_events(folder / NAME) for folder in folders)
    events = (event for record in records if not _is_trial(record) for event in reversed(record))
    ended = (event for event in events if isinstance(event, StageEnded) and event.outcome in ("ran", "reused"))
    keys = (event.row().get("key") for event in ended if event.stage == stage)
    return list(dict.fromkeys(key for key in keys if isinstance(key, str)))


def _is_trial(record: Iterable[Event]) -> bool:
    return any(isinstance(event, RunOptions) and event.once for event in record)


def process_start(pid: int) -> float | None:
    """A number that tells the process `pid` from a later one with the same number; None if it is not there or ended.

    On Linux these are seconds since boot, which stay the same when somebody sets the clock.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time() - (psutil.boot_time() if sys.platform == "linux" else 0), 2)
    except (psutil.Error, ValueError, OverflowError):
        return None
