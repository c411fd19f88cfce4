"""The run of a dataset that the page shows, and the one that it starts: a process that outlives the server.

How a run stands is read from its record (pipeline/run_record.py), whoever started it: this page, a terminal or cron.
data/<dataset>/page-run/ knows what no record does: run.json says which process the page started last and, if a server
saw it, its exit code; stop.json which process was asked to stop; log.txt is what that process printed. Nothing is held
in memory, so that another server can continue with it.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from pipeline.errors import UserError
from pipeline.progress import LONGEST_NOTE
from pipeline.run_process import REMOTE_SILENCE_SECONDS, born_of, is_alive, is_at_work, is_elsewhere
from pipeline.run_record import LONGEST_LINE, NAME, SHOWN_LINES, RunState, process_start, read_state
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp
from pipeline.text import to_plain_line

FOLDER = "page-run"
PLAN_SECONDS = 120
_PLANNING = threading.BoundedSemaphore(2)  # each plan is a process: pages that ask for many wait their turn
LOG_TAIL_BYTES = 20_000  # bytes of the log that are read: its last lines
MAX_RUNS_READ = 8  # the newest ones: a short one may begin and end while an older one still works
STOP_REPEAT_SECONDS = 60.0  # in which a run that was asked to stop is not asked again
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


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """What the page shows of a run. `state` is 'none', 'running', 'done', 'failed', 'stopped', 'next', or 'ended' if
    nobody knows how."""

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


class BackgroundRun:
    """The runs of one dataset: what the newest one does, and starting and stopping one."""

    def __init__(self, *, command: Sequence[str], dataset: str, folder: Path) -> None:
        self.command = tuple(command)
        self.dataset = dataset
        self.runs = folder / "runs"
        self.folder = folder / FOLDER

    def plan(self, until: str) -> list[dict[str, str]]:
        """What a run would do. Errors: `UserError` with the reason that the command gave."""
        words = [*self.command, "plan", "--json", "--dataset", self.dataset, *_until(until)]
        try:
            with _PLANNING:
                found = subprocess.run(
                    words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLAN_SECONDS, check=False
                )
        except subprocess.TimeoutExpired:
            raise UserError(f"the plan was not ready after {PLAN_SECONDS} s") from None
        try:
            answer = json.loads(found.stdout)
        except ValueError:
            raise UserError(f"the plan ended with code {found.returncode}") from None
        if isinstance(answer, dict):
            raise UserError(to_plain_line(str(answer.get("error")), LONGEST_LINE))
        return answer

    def start(self, until: str) -> RunStatus:
        """Start a run. Errors: `UserError` if a run of this dataset is under way, whoever started it."""
        self.folder.mkdir(parents=True, exist_ok=True)  # for the lock
        with FileLock(self.folder / ".lock"):
            if self.progress().state == "running":
                raise UserError(f"a run of {self.dataset} is under way; wait for it, or stop it")
            process = self._launch([*self.command, "run", "--dataset", self.dataset, *_until(until)])
            born = process_start(process.pid)
            try:
                began = timestamp("milliseconds")
                self._write("run.json", asdict(Started(until=until, pid=process.pid, born=born, began=began)))
            except OSError:  # a full disk: the page could not find the run again
                process.kill()
                process.wait()
                raise
        threading.Thread(target=self._await, args=(process,), daemon=True, name="rerun").start()
        return self.progress()

    def stop(self) -> RunStatus:
        """Ask the run to stop, as ctrl-C does; what it did is kept. A second SIGINT would end it at once, without a
        checkpoint: it is sent only if somebody asks again after `STOP_REPEAT_SECONDS` seconds.

        Errors: `UserError` if none is under way, or if it runs on another machine or for another user.
        """
        shown, pid, born = self._shown()
        if shown.state != "running":
            raise UserError(f"no run of {self.dataset} is under way")
        if shown.stopping:
            return shown
        if born is None:
            raise UserError("the run is on another machine; stop it there with ctrl-C")
        try:
            with suppress(OSError):  # a full disk must not keep the run from being stopped
                self._write("stop.json", {"pid": pid, "born": born, "at": time.time()})
            psutil.Process(pid).send_signal(signal.SIGINT)
        except psutil.AccessDenied:
            raise UserError("the run belongs to another user of this machine, who alone can stop it") from None
        except psutil.NoSuchProcess:  # it ended meanwhile
            pass
        return self.progress()

    def progress(self) -> RunStatus:
        """How the run stands that works now, or else how the last one ended."""
        return self._shown()[0]

    def _shown(self) -> tuple[RunStatus, int, float | None]:
        """The run to show, its process, and that one's `process_start` if it is on this machine."""
        started = self._read("run.json", Started)
        states = self._states()
        own = next((state for state in states if started and _is_of(state, started)), None)
        if started and own is None and (is_alive(started.pid, started.born) or _is_newer(started, states)):
            return self._without_record(started), started.pid, started.born
        working = next((state for state in states if is_at_work(state, self.runs / state.name)), None)
        chosen = working or (states[0] if states else None)
        if chosen is None:
            return RunStatus(state="none"), 0, None
        status, born = replace(_at_work(chosen), here=chosen is own), born_of(chosen)
        if working:
            return replace(status, stopping=self._asked_to_stop(chosen.pid, born)), chosen.pid, born
        code = started.code if started and chosen is own else None
        state, outcome = self._ending(chosen, code)
        return replace(status, state=state, outcome=outcome), chosen.pid, born

    def _without_record(self, started: Started) -> RunStatus:
        """A run of the page that did not get as far as its record: it starts, or it was refused."""
        lines = tuple(self._log_lines())
        asked = self._asked_to_stop(started.pid, started.born)
        status = RunStatus(state="running", until=started.until, began=started.began, lines=lines)
        if started.code is None and is_alive(started.pid, started.born):
            return replace(status, stopping=asked)
        last = _last(lines)
        if started.code is None:
            return replace(status, state="stopped" if asked else "ended", outcome=last)
        return replace(status, state=_by_code(started.code), outcome=last or _died(started.code))

    def _ending(self, state: RunState, code: int | None) -> tuple[str, str]:
        """State and outcome of a run whose process is gone: by its record, or else by the exit code `code`."""
        if state.outcome:
            return state.outcome, state.final_line
        if is_elsewhere(state):
            host, minutes = to_plain_line(state.host, LONGEST_NOTE), REMOTE_SILENCE_SECONDS / 60
            return "ended", f"{host} has written nothing for {minutes:.0f} minutes"
        full = "; the disk is full" if _is_full(self.runs) else ""
        return ("failed", KILLED + full) if code is None else (_by_code(code), _died(code) + full)

    def _states(self) -> list[RunState]:
        """The newest runs by their records, the newest first."""
        try:
            names = sorted((entry.name for entry in os.scandir(self.runs)), reverse=True)[:MAX_RUNS_READ]
        except OSError:
            return []
        return [state for name in names if (state := _state(self.runs / name))]

    def _asked_to_stop(self, pid: int, born: float | None) -> bool:
        asked = self._read("stop.json", dict) or {}
        same = born is not None and (asked.get("pid"), asked.get("born")) == (pid, born)
        return same and time.time() - asked.get("at", 0) < STOP_REPEAT_SECONDS

    def _launch(self, words: Sequence[str]) -> subprocess.Popen:
        with (self.folder / "log.txt").open("wb") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _await(self, process: subprocess.Popen) -> None:
        """Write down how the process ended, for a run that could not record it."""
        code = process.wait()
        started = self._read("run.json", Started)
        if started is not None and started.pid == process.pid:
            with suppress(OSError):  # a full disk: then the record alone says how it ended
                self._write("run.json", asdict(replace(started, code=code)))

    def _read(self, name: str, kind: type) -> Any:
        """The file `name` as a `kind`; None if it is not there or not whole."""
        try:
            return kind(**json.loads((self.folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / name, json.dumps(content).encode(), sync=False, unique=True)

    def _log_lines(self) -> list[str]:
        try:
            with (self.folder / "log.txt").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - LOG_TAIL_BYTES))
                return _lines(file.read().decode("utf-8", "replace"))
        except OSError:
            return []


def _at_work(state: RunState) -> RunStatus:
    """What there is to show of a run while it works."""
    found = RunStatus(
        state="running", until=state.until, began=state.began, stage=state.stage, lines=tuple(state.lines)
    )
    if state.waits:
        return replace(found, note=to_plain_line(f"waits: {state.waits}", LONGEST_LINE))
    if state.progress is None:
        return found
    at = state.progress
    return replace(found, done=at.done, total=at.total, percent=at.percent, note=to_plain_line(at.note, LONGEST_NOTE))


@lru_cache(maxsize=64)
def _parsed(folder: Path, changed: int, size: int) -> RunState:
    return read_state(folder)


def _state(folder: Path) -> RunState | None:
    """The run recorded in `folder`; None if there is no record, or no whole line in it."""
    try:
        found = (folder / NAME).stat()
    except OSError:
        return None
    state = _parsed(folder, found.st_mtime_ns, found.st_size)
    return state if state.began else None


def _is_of(state: RunState, started: Started) -> bool:
    """Whether `started` is the process that recorded `state`."""
    return state.pid == started.pid and started.born is not None and born_of(state) == started.born


def _is_newer(started: Started, states: Sequence[RunState]) -> bool:
    return not states or started.began > states[0].began


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < DISK_FULL_BYTES
    except OSError:
        return False


def _by_code(code: int) -> str:
    """The state of a run that ended with the exit code `code`."""
    return "stopped" if code in STOPPED_CODES else {0: "done", NEXT_CODE: "next"}.get(code, "failed")


def _died(code: int) -> str:
    """One line for a run whose exit code alone is known."""
    if code in (0, NEXT_CODE, *STOPPED_CODES):
        return "its record could not be written"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"its process {how} before it could record why"


def _until(stage: str) -> list[str]:
    return ["--until", stage] if stage else []


def _lines(text: str) -> list[str]:
    """The last lines of what a process printed."""
    return [to_plain_line(line, LONGEST_LINE) for line in text.splitlines() if line.strip()][-SHOWN_LINES:]


def _last(lines: Sequence[str]) -> str:
    """The line with which a command refuses what it was asked, without its mark."""
    return lines[-1].removeprefix("error: ") if lines else ""
