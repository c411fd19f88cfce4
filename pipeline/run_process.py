"""Whether the process of a recorded run is still there; of a run on another machine, whether it wrote lately."""

import platform
import time
from datetime import datetime
from pathlib import Path

import psutil

from pipeline.run_record import NAME, RunState, process_start

REMOTE_SILENCE_SECONDS = (
    900.0  # seconds after which a run on another machine, whose process cannot be seen, counts as ended
)


def is_at_work(state: RunState, folder: Path) -> bool:
    """Whether the run that is recorded in `folder` is at work."""
    if state.end:
        return False
    if not is_elsewhere(state):
        return is_alive(state.pid, born_of(state))
    try:
        return time.time() - (folder / NAME).stat().st_mtime < REMOTE_SILENCE_SECONDS
    except OSError:
        return False


def is_elsewhere(state: RunState) -> bool:
    """Whether the run is on another machine, which shares this disk."""
    return state.host not in ("", platform.node())


def born_of(state: RunState) -> float | None:
    """The `process_start` of the run's process; None if that is on another machine, or not known any more."""
    if is_elsewhere(state) or state.born is not None:
        return None if is_elsewhere(state) else state.born
    try:  # an older version recorded the number of the process alone: a later process with it began after the record
        before = psutil.Process(state.pid).create_time() <= datetime.fromisoformat(state.began).timestamp()
    except (psutil.Error, ValueError, OverflowError):
        return None
    return process_start(state.pid) if before else None


def is_alive(pid: int, born: float | None) -> bool:
    """Whether the process `pid` that began at `born` is there."""
    return born is not None and process_start(pid) == born
