"""Hand a task to Luigi and tell how it ended.

Luigi 3.8.1 waits for ever for a process that ended with code 0 and no result, prints a traceback if an order of luigid
cannot be followed, and ends with a face. The worker here tells in one line what became of a stage.
"""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import luigi
from luigi import LuigiStatusCode, configuration, scheduler, task_status, worker
from luigi.rpc import RPCError

from pipeline.errors import UserError
from tasks import backbones, console, isolation, luigid, run_log, signals
from tasks.luigid import Luigid
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import DEFAULT_DATASET, StageTask
from tasks.stages import Measured

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
        if process is not None and keywords["status"] == task_status.FAILED:
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
                self._task_result_queue.put((task_id, task_status.FAILED, "", [], []))

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
        LOG.error("a thread ended", exc_info=fault.exc_value)

    before, threading.excepthook = threading.excepthook, log
    try:
        yield
    finally:
        threading.excepthook = before


def _last_line(text: Any) -> str:
    """What a traceback, or a line, comes to."""
    return (str(text or "").strip().splitlines() or [""])[-1].removeprefix("pipeline.errors.")


# What Luigi calls it when nothing failed but a part was not its to run
OTHERS_AT_IT = (LuigiStatusCode.SUCCESS, LuigiStatusCode.NOT_RUN)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How Luigi's part of a run ended."""

    summary: str
    faults: tuple[Fault, ...] = ()
    lost: str = ""  # why luigid could not be asked any more


def launch(
    pipeline: RunPipeline,
    task: luigi.Task,
    *,
    scheduler: str = "",
    workers: int = 1,
    finish: Callable[[], None] = lambda: None,
) -> int:
    """Run `task` and all it needs; returns 0 when it is complete, 1 if a stage failed, 130 if it was stopped.

    `finish` is called when the task is complete, before the run's record is closed.
    """
    pipeline.requires()
    if workers < 1:
        raise UserError(f"--workers {workers}: expected a whole number, at least 1, for example 2")
    url = scheduler or configuration.get_config().get("core", "scheduler_url", "")
    if url:
        luigid.check(url)
    record = run_log.record(pipeline.dataset, pipeline.run_name)
    record.add("options", settings=pipeline.settings, labels=pipeline.labels, forced=pipeline.forced)
    ahead = pipeline.stages_until(getattr(task, "stage", ""))
    for stage in ahead:
        if not stage.complete():
            _bring_weights(stage)
            for warning in stage.warnings():
                console.say(stage.stage, warning)
    if workers == 1 and any(stage.isolated and not stage.complete() for stage in ahead):
        isolation.warm_up(record.log.absolute())
    configuration.get_config().set("core", "no_configure_logging", "true")
    with run_log.logging_to(record.log), threads_logged(), signals.listening():
        ending = _build(task, workers, url)
    if task.complete():
        finish()
    return _verdict(task, pipeline.dataset, record, ending)


def _bring_weights(stage: StageTask) -> None:
    if stage.stage == "classifier":
        backbones.bring(stage.options.backbone)
    if isinstance(stage, Measured):
        backbones.bring_to_measure(stage.stage, stage.options.extractor)


def _build(task: luigi.Task, workers: int, url: str) -> Ending:
    """Let Luigi run `task`; while another worker is at a part of it, holds the GPU or pauses luigid, ask again."""
    where = {"scheduler_url": url} if url else {"local_scheduler": True}
    waiting = luigid.Waiting(url)
    while True:
        factory = Factory()
        try:
            outcome = luigi.build([task], factory, detailed_summary=True, workers=workers, **where)
        except RPCError as error:
            return Ending(summary="", faults=tuple(factory.faults), lost=str(error))
        ending = Ending(summary=outcome.status.value[1], faults=tuple(factory.faults))
        if outcome.status not in OTHERS_AT_IT or task.complete() or signals.should_stop():
            return ending
        waiting.a_while()
        if signals.should_stop():
            return ending


def _verdict(task: luigi.Task, dataset: str, record: run_log.RunLog, ending: Ending) -> int:
    if task.complete():
        if record.rows()[-1]["event"] != "end":
            _end_without_luigi(task, record)
        return 0
    _record_faults(record, ending)
    failed, stopped = (_ended(record, outcome) for outcome in ("failed", "stopped"))
    if signals.should_stop() or (stopped and not failed):  # a stage may have a limit of its own
        record.add("end", outcome="stopped")
        print(stopped[-1]["error"] if stopped else "stopped; the next run goes on from here", file=sys.stderr)
        return 130
    record.add("end", outcome="failed")
    for row in failed:
        console.say(row["stage"], f"failed: {_for_dataset(row['error'], dataset)}")
    if ending.lost:
        print(f"not finished: {_without_luigid(ending.lost)}", file=sys.stderr)
    elif not failed:
        print(f"not finished: {console.as_called(_of_the_run(ending))}", file=sys.stderr)
    print(f"the whole story is in {record.log}", file=sys.stderr)
    return 1


def _end_without_luigi(task: luigi.Task, record: run_log.RunLog) -> None:
    """Close the record of a run that made everything; Luigi's last task does so, unless luigid was lost before it."""
    if isinstance(task, RunPipeline):
        task.run()
    else:
        record.add("end", outcome="done")


def _record_faults(record: run_log.RunLog, ending: Ending) -> None:
    """Write down the stages that could not do so themselves, as their processes died."""
    written = record.stages()
    for fault in ending.faults:
        if isinstance(fault.task, StageTask) and fault.stage not in written:
            record.add("stage", stage=fault.stage, outcome="failed", error=fault.line)


def _of_the_run(ending: Ending) -> str:
    return ending.faults[-1].line if ending.faults else ending.summary


def _without_luigid(why: str) -> str:
    return (
        f"luigid does not answer ({why}); what is made is kept: start it again (`make luigid`) and run again, or run"
        " without --scheduler"
    )


def _ended(record: run_log.RunLog, outcome: str) -> list[dict[str, Any]]:
    """The rows of the stages that ended so."""
    return [row for row in record.rows() if row["event"] == "stage" and row["outcome"] == outcome]


def _for_dataset(advice: str, dataset: str) -> str:
    """The stages know no dataset; the commands that they advise are for this one."""
    if dataset == DEFAULT_DATASET:
        return advice
    return re.sub(r"(python -m tasks (?:labels )?\w+)", rf"\1 --dataset {dataset}", advice)
