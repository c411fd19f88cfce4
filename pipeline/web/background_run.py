"""The run that the page starts: a process of its own that outlives the server and is found again by the next one.

It is written down in data/<dataset>/page-run/: run.json says which process it is, log.txt is what it says. Whoever
asks reads those; nothing is held in memory but the process that this server itself started.
"""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.errors import UserError
from pipeline.store.atomic import write_whole

FOLDER = "page-run"
PLAN_SECONDS = 120
_PLANNING = threading.BoundedSemaphore(2)  # each plan is a process: pages that ask for many wait their turn
TAIL = 20_000  # bytes of the log that are read: its last lines
LINES = 12
PERCENT = re.compile(r"^(\w+)\s+\d+ of \d+ \((\d+) %\)")
STAGE = re.compile(r"^(download|normalize|classifier|filter|gan|generate|report)\s")
DONE = re.compile(r"^(took|look at)\s")  # how a run begins its last line
FAULT = re.compile(r"^error: |^\w+\s+failed: |^not finished: |\w*Error: ")


@dataclass(frozen=True, kw_only=True)
class Started:
    """Which process it is. `birth` tells it from a later one that was given the same number."""

    until: str  # the last stage; empty for the whole chain
    pid: int
    birth: str
    began: str  # ISO 8601, UTC
    code: int | None = None  # what it ended with, if a server was there to see it
    stopping: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How a run stands. `state` is 'none', 'running', 'done', 'failed', 'stopped' or 'ended' when nobody saw how."""

    state: str
    until: str = ""
    began: str = ""
    stage: str = ""
    percent: int | None = None
    lines: tuple[str, ...] = ()  # the last ones it said
    outcome: str = ""  # one line, when it is over
    stopping: bool = False

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class BackgroundRun:
    """The one run that the page may have started for a dataset."""

    def __init__(self, *, command: Sequence[str], dataset: str, folder: Path) -> None:
        self.command = tuple(command)
        self.dataset = dataset
        self.folder = folder / FOLDER

    def plan(self, until: str) -> list[dict[str, str]]:
        """What a run would do. Errors: `UserError` with the line that the command said."""
        words = [*self.command, "plan", "--json", "--dataset", self.dataset, *_until(until)]
        try:
            with _PLANNING:
                found = subprocess.run(
                    words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLAN_SECONDS, check=False
                )
        except subprocess.TimeoutExpired:
            raise UserError(f"the plan was not ready after {PLAN_SECONDS} s") from None
        if found.returncode:
            raise UserError(_outcome(found.stderr.splitlines()) or f"the plan ended with code {found.returncode}")
        return json.loads(found.stdout)

    def start(self, until: str) -> Progress:
        """Start a run, unless one is running: then a `UserError` says so."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            if self.progress().state == "running":
                raise UserError(f"a run of {self.dataset} is under way; wait for it, or stop it")
            words = [*self.command, "run", "--dataset", self.dataset, *_until(until)]
            process = self._launch(words)
            self._write(Started(until=until, pid=process.pid, birth=birth(process.pid), began=_now()))
        threading.Thread(target=self._await, args=(process,), daemon=True, name="rerun").start()
        return self.progress()

    def stop(self) -> Progress:
        """Ask the run to stop, as ctrl-C does; what it did is kept. Errors: `UserError` when none is running."""
        started = self._started()
        if started is None or not _alive(started):
            raise UserError(f"no run of {self.dataset} is under way")
        self._write(replace(started, stopping=True))
        os.kill(started.pid, signal.SIGINT)
        return self.progress()

    def progress(self) -> Progress:
        """How the run stands."""
        started = self._started()
        if started is None:
            return Progress(state="none")
        lines = self._lines()
        running = started.code is None and _alive(started)
        stage, percent = _at(lines)
        return Progress(
            state="running" if running else _ending(started, lines),
            until=started.until,
            began=started.began,
            stage=stage,
            percent=percent,
            lines=tuple(lines[-LINES:]),
            outcome="" if running else _outcome(lines),
            stopping=running and started.stopping,
        )

    def _launch(self, words: Sequence[str]) -> subprocess.Popen:
        with (self.folder / "log.txt").open("wb") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _await(self, process: subprocess.Popen) -> None:
        """Write down how the process ended; a server that is gone by then leaves that to its log."""
        code = process.wait()
        started = self._started()
        if started is not None and started.pid == process.pid:
            self._write(replace(started, code=code))

    def _started(self) -> Started | None:
        try:
            return Started(**json.loads((self.folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, started: Started) -> None:
        write_whole(self.folder / "run.json", json.dumps(asdict(started)).encode(), sync=False, unique=True)

    def _lines(self) -> list[str]:
        try:
            with (self.folder / "log.txt").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL))
                return [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        except OSError:
            return []


def birth(pid: int) -> str:
    """When a process began, as the system puts it; empty when there is none or it has ended."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]  # state, and start time in ticks since boot: proc(5)
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _alive(started: Started) -> bool:
    return bool(started.birth) and birth(started.pid) == started.birth


def _until(stage: str) -> list[str]:
    return ["--until", stage] if stage else []


def _at(lines: Sequence[str]) -> tuple[str, int | None]:
    """The stage that was named last, and how far it is if it says."""
    for line in reversed(lines):
        if found := PERCENT.match(line):
            return found[1], int(found[2])
        if found := STAGE.match(line):
            return found[1], None
    return "", None


def _ending(started: Started, lines: Sequence[str]) -> str:
    """How a run that is over ended: by its exit code, or by what it said last where no server saw that."""
    if started.code == 0:
        return "done"
    if started.code is None and lines and DONE.match(lines[-1]):
        return "done"
    if started.stopping or (lines and lines[-1].startswith("stopped")):
        return "stopped"
    return "failed" if started.code is not None or any(map(FAULT.search, lines)) else "ended"


def _outcome(lines: Sequence[str]) -> str:
    """The line that says how it ended: the fault if there was one, or what the last stage made, or the last of all."""
    last = (list(lines) or [""])[-1]
    faults = [line for line in lines if FAULT.search(line)]
    made = [line for line in lines if STAGE.match(line)] if DONE.match(last) else []
    return re.sub(r"\s+", " ", (faults or made or [last])[-1].removeprefix("error: "))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
