"""How a run stands, read from its record and from what is known of its process; nothing is started here."""

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.progress import LONGEST_NOTE
from pipeline.run_process import REMOTE_SILENCE_SECONDS, born_of, is_elsewhere
from pipeline.run_record import LONGEST_LINE, NAME, SHOWN_LINES, RunState, read_state
from pipeline.text import to_plain_line

LOG_TAIL_BYTES = 20_000  # bytes of the log that are read: its last lines
MAX_RUNS_READ = 8  # the newest ones: a short one may begin and end while an older one still works
DISK_FULL_BYTES = 1 << 20  # free bytes under which a disk counts as full
NEXT_CODE = 3
STOPPED_CODES = (130, -signal.SIGINT)
KILLED = "its process ended before it could record why: it was killed, or the machine went down"


@dataclass(frozen=True, kw_only=True)
class Started:
    """The process that the page started last. `born` tells it from a later one with the same number."""

    until: str  # the last stage; empty for the whole chain
    pid: int
    born: float | None
    began: str  # ISO 8601, UTC
    code: int | None = None  # what it ended with, if a server was there to see it
    log: str = ""  # the file of what it prints; empty for log.txt beside this


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """What the page shows of a run. `state` is 'none', 'queued', 'running', 'done', 'failed', 'stopped', 'next', or
    'ended' if nobody knows how."""

    state: str
    until: str = ""
    began: str = ""
    here: bool = True  # the page started it
    stage: str = ""
    done: int = 0
    total: int = 0  # 0 if not known
    percent: int | None = None
    note: str = ""  # how far the stage is, in words, or what it waits for
    lines: tuple[str, ...] = ()  # the last ones that the console printed
    outcome: str = ""  # one line, when it is over
    stopping: bool = False

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def while_at_work(state: RunState) -> RunStatus:
    """What there is to show of a run while it works."""
    found = RunStatus(
        state="running", until=state.until, began=state.began, stage=state.stage, lines=tuple(state.lines)
    )
    if state.waits:
        return replace(found, note=to_plain_line(f"waits: {state.waits}", LONGEST_LINE))
    if state.progress is None:
        return found
    at = state.progress
    return replace(found, done=at.done, total=at.total, percent=at.percent, note=to_plain_line(at.words, LONGEST_NOTE))


@lru_cache(maxsize=64)
def _parsed(folder: Path, changed: int, size: int) -> RunState:
    return read_state(folder)


def read_record(folder: Path) -> RunState | None:
    """The run recorded in `folder`; None if there is no record, or no whole line in it."""
    try:
        found = (folder / NAME).stat()
    except OSError:
        return None
    state = _parsed(folder, found.st_mtime_ns, found.st_size)
    return state if state.began else None


def is_of(state: RunState, started: Started) -> bool:
    """Whether `started` is the process that recorded `state`."""
    return state.pid == started.pid and started.born is not None and born_of(state) == started.born


def is_newer(started: Started, states: Sequence[RunState]) -> bool:
    return not states or started.began > states[0].began


def is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < DISK_FULL_BYTES
    except OSError:
        return False


def state_by_code(code: int) -> str:
    """The state of a run that ended with the exit code `code`."""
    return "stopped" if code in STOPPED_CODES else {0: "done", NEXT_CODE: "next"}.get(code, "failed")


def died(code: int) -> str:
    """One line for a run whose exit code alone is known."""
    if code in (0, NEXT_CODE, *STOPPED_CODES):
        return "its record could not be written"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"its process {how} before it could record why"


def last_lines(text: str) -> list[str]:
    """The last lines of what a process printed."""
    return [to_plain_line(line, LONGEST_LINE) for line in text.splitlines() if line.strip()][-SHOWN_LINES:]


def last_line(lines: Sequence[str]) -> str:
    """The line with which a command refuses what it was asked, without its mark."""
    return lines[-1].removeprefix("error: ") if lines else ""


def newest_records(runs: Path) -> list[RunState]:
    """The newest runs recorded in the folder `runs`, the newest first."""
    try:
        names = sorted((entry.name for entry in os.scandir(runs)), reverse=True)[:MAX_RUNS_READ]
    except OSError:
        return []
    return [state for name in names if (state := read_record(runs / name))]


def ending(state: RunState, code: int | None, runs: Path) -> tuple[str, str]:
    """State and outcome of a run whose process is gone: by its record, or else by the exit code `code`."""
    if state.outcome:
        return state.outcome, state.final_line
    if is_elsewhere(state):
        host, minutes = to_plain_line(state.host, LONGEST_NOTE), REMOTE_SILENCE_SECONDS / 60
        return "ended", f"{host} has written nothing for {minutes:.0f} minutes"
    full = "; the disk is full" if is_full(runs) else ""
    return ("failed", KILLED + full) if code is None else (state_by_code(code), died(code) + full)


def log_lines(log: Path) -> tuple[str, ...]:
    """The last lines of what a process printed to the file `log`."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            return tuple(last_lines(file.read().decode("utf-8", "replace")))
    except OSError:
        return ()
