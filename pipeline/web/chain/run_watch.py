"""The run that the overview page shows, by its record: when its stages began, what they still need, its log's tail."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pipeline.progress import LONGEST_LINE
from pipeline.run_record import NAME, RunState, read_state
from pipeline.text import to_plain_line
from pipeline.web.chain.chain_state import RunShown
from pipeline.web.chain.stage_times import coarse, elapsed_since, left, left_in_words
from pipeline.web.jobs.background_run import RunStatus

MOST_RUNS = 8  # the newest ones, among which the run that is shown is
LOG = "log.txt"  # of what libraries said, beside the record
TAIL_BYTES, TAIL_LINES = 20_000, 40


def recorded(runs: Path, began: str) -> RunState | None:
    """The record of the run that began at `began`; None if it has none, as one that was refused at once."""
    return next((state for state in _newest(runs) if state.began == began), None)


def shown(status: RunStatus, state: RunState | None, last_seconds: dict[str, float]) -> RunShown:
    """The run for the page; `last_seconds` is how long each stage took last time."""
    started = state.started.get(status.stage) if state else None
    rest, by_last = _rest(status, started.time if started else "", last_seconds)
    return RunShown(
        state=status.state,
        until=status.until,
        began=status.began,
        here=status.here,
        stage=status.stage,
        stage_key=started.key if started else "",
        stage_began=started.time if started else "",
        done=status.done,
        total=status.total,
        percent=status.percent,
        note=status.note,
        seconds_left=rest,
        left=left_in_words(rest, by_last=by_last),
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
    return [to_plain_line(line.rstrip(), LONGEST_LINE) for line in text.splitlines() if line.strip()][-TAIL_LINES:]


def _rest(status: RunStatus, stage_began: str, last_seconds: dict[str, float]) -> tuple[float | None, bool]:
    """How long the stage still needs, and whether only the last time says so."""
    if status.state != "running" or not stage_began:
        return None, False
    last = last_seconds.get(status.stage)
    rest = left(percent=status.percent, elapsed=elapsed_since(stage_began), last=last)
    return coarse(rest), status.percent is None


def _newest(runs: Path) -> Iterator[RunState]:
    try:
        names = sorted((entry.name for entry in os.scandir(runs)), reverse=True)[:MOST_RUNS]
    except OSError:
        return
    for name in names:
        try:
            found = (runs / name / NAME).stat()
        except OSError:
            continue
        yield _read(runs / name, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _read(folder: Path, changed: int, size: int) -> RunState:
    return read_state(folder)
