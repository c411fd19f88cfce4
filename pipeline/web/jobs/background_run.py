"""The run of a dataset that the page shows, and the one that it starts: a process that outlives the server.

How a run stands is read from its record (pipeline/run_record.py), whoever started it: this page, a terminal or cron.
data/<dataset>/page-run/ knows what no record does: run.json says which process the studio started last and, if a
server saw it, its exit code; stop.json which process was asked to stop. Nothing is held in memory, so that another
server can continue with it. When a run starts, `job_queue` decides.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from pipeline.errors import UserError
from pipeline.run_process import born_of, is_alive, is_at_work
from pipeline.run_record import LONGEST_LINE, process_start
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp
from pipeline.text import to_plain_line
from pipeline.web.jobs.run_status import (
    RunStatus,
    Started,
    died,
    ending,
    is_newer,
    is_of,
    last_line,
    log_lines,
    newest_records,
    state_by_code,
    while_at_work,
)

FOLDER = "page-run"
PLAN_SECONDS = 120
_PLANNING = threading.BoundedSemaphore(2)  # each plan is a process: pages that ask for many wait their turn
STOP_REPEAT_SECONDS = 60.0  # in which a run that was asked to stop is not asked again
LOG = "log.txt"


class BackgroundRun:
    """The runs of one dataset: what the newest one does, and starting and stopping one.

    `words` are those of the command before its flags; by default they run the dataset.
    """

    def __init__(self, *, command: Sequence[str], dataset: str, folder: Path, words: Sequence[str] = ()) -> None:
        self.command = tuple(command)
        self.dataset = dataset
        self.words = tuple(words) or ("run", "--dataset", dataset)
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

    def start(
        self,
        until: str,
        *,
        flags: Sequence[str] = (),
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Started:
        """Start a run, and return its process.

        Args:
            until: The last stage; empty for all.
            flags: Further flags of the command `run`.
            log: The file to which what it prints is appended; without it, log.txt, which begins anew.
            environment: Environment variables, beside those of the server.

        Errors: `UserError` if a run of this dataset is under way, whoever started it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)  # for the lock
        with FileLock(self.folder / ".lock"):
            if self.progress().state == "running":
                raise UserError(f"a run of {self.dataset} is under way; wait for it, or stop it")
            words = [*self.command, *self.words, *_until(until), *flags]
            process = self._launch(words, log, environment or {})
            started = Started(
                until=until,
                pid=process.pid,
                born=process_start(process.pid),
                began=timestamp("milliseconds"),
                log=str(log or ""),
            )
            try:
                self._write("run.json", asdict(started))
            except OSError:  # a full disk: the page could not find the run again
                process.kill()
                process.wait()
                raise
        threading.Thread(target=self._await, args=(process,), daemon=True, name="rerun").start()
        return started

    def stop(self) -> RunStatus:
        """Ask the run to stop, as ctrl-C does; what it did is kept. A second SIGINT would end it at once, without a
        checkpoint: it is sent only if somebody asks again after `STOP_REPEAT_SECONDS` seconds.

        Errors: `UserError` if none is under way, or if it runs on another machine or for another user.
        """
        shown, pid, born = self._shown()
        if shown.state != "running":
            raise UserError(f"no run of {self.dataset} is under way")
        if not shown.stopping:
            with suppress(OSError):  # a full disk must not keep the run from being stopped
                self._write("stop.json", {"pid": pid, "born": born, "at": time.time()})
            interrupt(pid, born)
        return self.progress()

    def exit_code(self, process: Started) -> int | None:
        """What `process` ended with; None if no server saw it, or another one was started since."""
        last = self._read("run.json", Started)
        return last.code if last and (last.pid, last.born) == (process.pid, process.born) else None

    def progress(self) -> RunStatus:
        """How the run stands that works now, or else how the last one ended."""
        return self._shown()[0]

    def _shown(self) -> tuple[RunStatus, int, float | None]:
        """The run to show, its process, and that one's `process_start` if it is on this machine."""
        started = self._read("run.json", Started)
        states = newest_records(self.runs)
        own = next((state for state in states if started and is_of(state, started)), None)
        if started and own is None and (is_alive(started.pid, started.born) or is_newer(started, states)):
            return self._without_record(started), started.pid, started.born
        working = next((state for state in states if is_at_work(state, self.runs / state.name)), None)
        chosen = working or (states[0] if states else None)
        if chosen is None:
            return RunStatus(state="none"), 0, None
        status, born = replace(while_at_work(chosen), here=chosen is own), born_of(chosen)
        if working:
            return replace(status, stopping=self._asked_to_stop(chosen.pid, born)), chosen.pid, born
        code = started.code if started and chosen is own else None
        state, outcome = ending(chosen, code, self.runs)
        return replace(status, state=state, outcome=outcome), chosen.pid, born

    def _without_record(self, started: Started) -> RunStatus:
        """A run of the page that did not get as far as its record: it starts, or it was refused."""
        lines = log_lines(Path(started.log) if started.log else self.folder / LOG)
        asked = self._asked_to_stop(started.pid, started.born)
        status = RunStatus(state="running", until=started.until, began=started.began, lines=lines)
        if started.code is None and is_alive(started.pid, started.born):
            return replace(status, stopping=asked)
        last = last_line(lines)
        if started.code is None:
            return replace(status, state="stopped" if asked else "ended", outcome=last)
        return replace(status, state=state_by_code(started.code), outcome=last or died(started.code))

    def _asked_to_stop(self, pid: int, born: float | None) -> bool:
        asked = self._read("stop.json", dict) or {}
        same = born is not None and (asked.get("pid"), asked.get("born")) == (pid, born)
        return same and time.time() - asked.get("at", 0) < STOP_REPEAT_SECONDS

    def _launch(self, words: Sequence[str], log: Path | None, environment: Mapping[str, str]) -> subprocess.Popen:
        with log.open("ab") if log else (self.folder / LOG).open("wb") as output:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | environment,
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


def _until(stage: str) -> list[str]:
    return ["--until", stage] if stage else []


def interrupt(pid: int, born: float | None) -> None:
    """Send SIGINT to the process `pid` that began at `born`; nothing if it is gone.

    Errors: `UserError` if it is on another machine (`born` is None), or belongs to another user.
    """
    if born is None:
        raise UserError("the run is on another machine; stop it there with ctrl-C")
    try:
        if is_alive(pid, born):
            psutil.Process(pid).send_signal(signal.SIGINT)
    except psutil.AccessDenied:
        raise UserError("the run belongs to another user of this machine, who alone can stop it") from None
    except psutil.NoSuchProcess:  # it ended meanwhile
        pass
