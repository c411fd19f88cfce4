"""The run that the overview page shows, by its record: when its stages began, what they still need, its log's tail."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.progress import LONGEST_LINE
from pipeline.run_record import RunState
from pipeline.store.artifacts import Artifact
from pipeline.text import to_plain_line
from pipeline.web.chain.chain_state import RunShown
from pipeline.web.chain.stage_times import about, coarse, elapsed_since, left, seconds_of
from pipeline.web.jobs.run_status import RunStatus, newest_records
from pipeline.web.trainings.run_facts import full_settings, read_facts

LOG = "log.txt"  # of what libraries said, beside the record
TAIL_BYTES, TAIL_LINES = 20_000, 40


def recorded(runs: Path, began: str) -> RunState | None:
    """The record of the run that began at `began`; None if it has none, as one that was refused at once."""
    return next((state for state in newest_records(runs) if state.began == began), None)


def shown(status: RunStatus, state: RunState | None, *, runs: Path, last: Artifact | None) -> RunShown:
    """The run for the page; `last` is the last artifact of the stage that works, which says how long that took."""
    started = state.started.get(status.stage) if state else None
    elapsed = elapsed_since(started.time) if started else 0.0
    working = state is not None and status.state == "running" and elapsed > 0
    rest = _rest(status, elapsed, _settings(runs, state) if status.stage == "gan" else {}, last) if working else Rest()
    return RunShown(
        state=status.state,
        until=status.until,
        began=status.began,
        here=status.here,
        stage=status.stage,
        stage_key=(started.key or "") if started else "",
        stage_began=started.time if started else "",
        done=status.done,
        total=status.total,
        percent=status.percent,
        note=status.note,
        seconds_left=coarse(rest.seconds),
        left=rest.words,
        outcome=status.outcome,
        lines=list(status.lines),
        stopping=status.stopping,
    )


def log_tail(runs: Path, state: RunState | None) -> list[str]:
    """The last lines that libraries logged during the run, such as a traceback; each is one plain line."""
    if state is None:
        return []
    try:
        with (runs / state.name / LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [to_plain_line(line, LONGEST_LINE).rstrip() for line in text.splitlines() if line.strip()][-TAIL_LINES:]


@dataclass(frozen=True, kw_only=True)
class Rest:
    """How long a stage still needs; None if nothing is known."""

    seconds: float | None = None
    why: str = "{} left"

    @property
    def words(self) -> str:
        """The same in words; empty if nothing is known."""
        if self.seconds is None:
            return ""
        return self.why.format(about(self.seconds)).replace("at most about", "at most")


def _rest(status: RunStatus, elapsed: float, settings: dict[str, Any], last: Artifact | None) -> Rest:
    """How long the stage still needs: by how far it is, by the last time, or by the most steps or minutes it takes."""
    found, minutes = _rest_of_work(status, elapsed, settings, last), settings.get("gan.total_minutes")
    if status.stage != "gan" or not isinstance(minutes, (int, float)) or minutes <= 0:
        return found
    rest = max(60 * minutes - elapsed, 0)
    return found if found.seconds is not None and found.seconds <= rest else Rest(seconds=rest, why="at most {} left")


def _rest_of_work(status: RunStatus, elapsed: float, settings: dict[str, Any], last: Artifact | None) -> Rest:
    """The same without the limit on the minutes of a training."""
    if status.percent is not None:
        return Rest(seconds=left(status.percent, elapsed))
    before = seconds_of(last.manifest) if last and (status.stage != "gan" or _is_as_long(last, settings)) else None
    if before is not None and before > elapsed:
        return Rest(seconds=before - elapsed, why="{} left, if it takes as long as last time")
    most = settings.get("gan.most_steps")
    if status.stage == "gan" and isinstance(most, int) and most > 0:  # it may end sooner, when it no longer improves
        return Rest(seconds=left(100 * status.done / most, elapsed), why="at most {} left")
    return Rest()


def _is_as_long(last: Artifact, settings: dict[str, Any]) -> bool:
    """Whether a training with `settings` takes as many steps as the `last` one, of the same networks."""
    options = last.manifest.options
    lengths = ("definition", "epochs", "most_steps", "total_minutes")
    same = all(options[name] == settings.get(f"gan.{name}") for name in lengths if name in options)
    return same and last.manifest.summary.get("size") == settings.get("normalize.size")


def _settings(runs: Path, state: RunState | None) -> dict[str, Any]:
    facts = read_facts(runs / state.name) if state else None
    return full_settings(facts.settings) if facts and facts.settings is not None else {}
