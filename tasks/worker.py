"""Luigi's worker, which also says what became of a stage whose process died.

Luigi 3.8.1 waits without end for a process that ended with code 0 and no result, prints a traceback where luigid's
orders cannot be followed, and has for all other ends one line with a face.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import luigi
from luigi import scheduler, worker

from tasks import isolation
from tasks.luigid import Luigid

LOG = logging.getLogger("luigi-interface")
GRACE = 5.0  # seconds in which the result of a process that has ended may still arrive


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A task that failed, and why in one line."""

    task: luigi.Task
    line: str

    @property
    def stage(self) -> str:
        """What the console calls it."""
        return getattr(self.task, "stage", "run")


class Worker(worker.Worker):
    """A worker that keeps what failed in `faults`."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.faults: list[Fault] = []
        self._ended: dict[str, float] = {}  # when a process was first seen to have ended, by its task

    def _add_task(self, *arguments: Any, **keywords: Any) -> None:
        process = self._running_tasks.get(keywords["task_id"])
        if process is not None and keywords["status"] == worker.FAILED:
            line = _last_line(json.loads(keywords["expl"]))
            if process.exitcode or (process.exitcode == 0 and line == ""):
                line = isolation.epitaph(process.exitcode)
                keywords["expl"] = json.dumps(line)
            self._keep(process.task, line)
        super()._add_task(*arguments, **keywords)

    def _keep(self, task: luigi.Task, line: str) -> None:
        self.faults.append(fault := Fault(task=task, line=line))
        LOG.warning("%s failed: %s", fault.stage, line)

    def _purge_children(self) -> None:
        """Give up the tasks whose processes have died."""
        super()._purge_children()  # those that ended with another code than 0
        for task_id, process in self._running_tasks.items():
            if process.exitcode != 0:  # None for a task in this process, or while it works
                continue
            if time.monotonic() - self._ended.setdefault(task_id, time.monotonic()) >= GRACE:
                self._task_result_queue.put((task_id, worker.FAILED, "", [], []))

    def _log_complete_error(self, task: luigi.Task, trace: str) -> None:
        self._keep(task, _last_line(trace))
        super()._log_complete_error(task, trace)

    def _log_dependency_error(self, task: luigi.Task, trace: str) -> None:
        self._keep(task, _last_line(trace))
        super()._log_dependency_error(task, trace)

    def _handle_rpc_message(self, message: Any) -> None:
        """Do what luigid asks. It has no password, so that may be anything."""
        try:
            super()._handle_rpc_message(message)
        except Exception as error:
            LOG.warning("luigid asked for something that cannot be done: %s: %s", type(error).__name__, error)


class Factory:
    """What Luigi makes its schedulers and workers with."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []  # of the worker that was made last

    def create_local_scheduler(self) -> scheduler.Scheduler:
        """A scheduler within this process."""
        return scheduler.Scheduler(prune_on_get_work=True, record_task_history=False)

    def create_remote_scheduler(self, url: str) -> Luigid:
        """The client of a luigid."""
        return Luigid(url)

    def create_worker(self, scheduler: Any, worker_processes: int, assistant: bool = False) -> Worker:
        """A worker that runs so many tasks at once."""
        made = Worker(scheduler=scheduler, worker_processes=worker_processes, assistant=assistant)
        self.faults = made.faults
        return made


@contextmanager
def threads_logged() -> Iterator[None]:
    """Send tracebacks of threads to the log, meanwhile: the console is for what a person can do something about."""

    def log(fault: threading.ExceptHookArgs) -> None:
        LOG.error("a thread ended", exc_info=(fault.exc_type, fault.exc_value, fault.exc_traceback))

    before, threading.excepthook = threading.excepthook, log
    try:
        yield
    finally:
        threading.excepthook = before


def _last_line(text: Any) -> str:
    """What a traceback, or a line, comes to."""
    return (str(text or "").strip().splitlines() or [""])[-1].removeprefix("pipeline.errors.")
