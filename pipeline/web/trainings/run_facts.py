"""What the record of a run says about it, without its progress, kept in memory until the record changes."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.option_types import as_json
from pipeline.options import STAGE_OPTIONS
from pipeline.run_record import (
    LONGEST_LINE,
    NAME,
    Event,
    Noted,
    RunEnded,
    RunOptions,
    RunState,
    StageEnded,
    StageStarted,
    read_events,
)
from pipeline.text import to_plain_line

MOST_SETTINGS, MOST_NOTES, MOST_STAGES, MOST_FIGURES = 300, 50, 20, 60  # of one run
LONGEST_VALUE = 2000  # characters of one setting
RECENT = 30  # runs among which the one is looked for that makes a training


@dataclass(frozen=True, kw_only=True)
class StageFacts:
    """How a stage of a run ended; `text` says what it made, or why it failed."""

    stage: str
    outcome: str
    text: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run by its record."""

    state: RunState  # what tells whether its process is at work, and no more; do not change it
    outcome: str  # done, failed, stopped, next; empty if the record does not say
    reason: str  # one line: the error, or what the last stage made
    settings: dict[str, Any] | None  # those that differ from the defaults; None if the record does not say
    keys: dict[str, str]  # the content key of each stage that began or ended
    stages: tuple[StageFacts, ...]  # those that ended
    figures: dict[str, dict[str, Any]]  # of the stages that ran: the numbers and short texts of their summaries
    notes: tuple[str, ...]
    seconds: float | None  # None while it has not ended
    last: str  # the time of its last event

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.state.name


def run_folders(runs: Path) -> list[Path]:
    """The folders of all runs that have a record, the newest first."""
    return sorted((path for path in runs.glob("*") if (path / NAME).is_file()), reverse=True)


def read_facts(folder: Path) -> RunFacts | None:
    """The facts of the run recorded in `folder`; None if there is no record."""
    try:
        stat = (folder / NAME).stat()
    except OSError:
        return None
    return _read(folder, stat.st_mtime_ns, stat.st_size)


def runs_that_began(runs: Path, stage: str) -> dict[str, str]:
    """The newest run that began each artifact of `stage`, by content key; only of the RECENT runs."""
    found: dict[str, str] = {}
    for folder in run_folders(runs)[:RECENT]:
        facts = read_facts(folder)
        if facts and stage in facts.keys:
            found.setdefault(facts.keys[stage], facts.name)
    return found


def full_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of every stage: the `given` ones, and all others as the defaults have them."""
    defaults = {
        f"{stage}.{name}": as_json(field.default)
        for stage, options in STAGE_OPTIONS.items()
        for name, field in options.model_fields.items()
    }
    return defaults | given  # settings that another version knows are kept


@lru_cache(maxsize=2000)  # some kB each
def _read(folder: Path, modified: int, size: int) -> RunFacts:
    state = RunState(name=folder.name)
    events = read_events(folder / NAME, progress=False)
    for event in events:
        state.add(event)
    ends = [event.row() for event in events if event.event == "stage"]
    given = next((event for event in events if isinstance(event, RunOptions)), None)
    return RunFacts(
        state=_short(state),
        outcome=state.outcome,
        reason=to_plain_line(state.final_line, LONGEST_LINE),
        settings=_settings(given) if given else None,
        keys=_keys(events),
        stages=tuple(_stage(event) for event in list(state.ended.values())[:MOST_STAGES]),
        figures={_cut(row["stage"]): _figures(row["summary"]) for row in ends if isinstance(row.get("summary"), dict)},
        notes=tuple(event.line() for event in events if isinstance(event, Noted))[:MOST_NOTES],
        seconds=_seconds(state.end),
        last=_cut(events[-1].time) if events else "",
    )


def _short(state: RunState) -> RunState:
    """What of `state` is kept: a record may have megabytes of text."""
    end = RunEnded(event="end", time="", outcome=state.end.outcome) if state.end else None
    return RunState(
        name=_cut(state.name),
        began=_cut(state.began),
        pid=state.pid,
        born=state.born,
        host=_cut(state.host),
        labels=_cut(state.labels),
        is_trial=state.is_trial,
        until=_cut(state.until),
        planned=tuple(map(_cut, state.planned[:MOST_STAGES])),
        end=end,
    )


def _stage(event: StageEnded) -> StageFacts:
    text = to_plain_line(event.error or event.made, LONGEST_LINE)
    return StageFacts(stage=_cut(event.stage), outcome=event.outcome, text=text, seconds=event.seconds)


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    short = (int, float, str, bool)
    found = {name: value for name, value in summary.items() if isinstance(value, short) and len(str(value)) < 200}
    return dict(list(found.items())[:MOST_FIGURES])


def _cut(text: Any) -> str:
    return to_plain_line(str(text), 100)


def _keys(events: list[Event]) -> dict[str, str]:
    found = {}
    for event in events:
        key = event.row().get("key")
        if isinstance(key, str) and (isinstance(event, StageStarted) or event.event == "stage"):
            found[_cut(event.row()["stage"])] = _cut(key)
    return found


def _settings(event: RunOptions) -> dict[str, Any] | None:
    text = event.row().get("settings")
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or len(found) > MOST_SETTINGS:
        return None
    return {to_plain_line(name, 100): value for name, value in found.items() if len(str(value)) <= LONGEST_VALUE}


def _seconds(end: Event | None) -> float | None:
    value = end.row().get("seconds") if end else None
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None
