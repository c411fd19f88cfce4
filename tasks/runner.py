"""Runs a task with Luigi: prints and records how the run ended, and returns the exit code.

Luigi 3.8.1 waits without end for a process that ended with code 0 and no result, prints a traceback for an order of
luigid that it cannot follow, and prints a smiley at the end. The worker here reports each failed stage in one line.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import luigi
from luigi import LuigiStatusCode, configuration, scheduler, task_status, worker
from luigi.rpc import RPCError

from pipeline import fork_server
from pipeline.errors import Stopped, UserError
from pipeline.run_record import StageEnded
from tasks import backbones, console, gallery_updates, isolation, luigid, run_log, signals
from tasks.error_text import STOPPED, one_line, with_dataset_flag
from tasks.luigid import Luigid
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask
from tasks.stages import Measured

LOG = logging.getLogger("luigi-interface")
EXIT_FAILED = 1
EXIT_STOPPED = 130  # as of a process that SIGINT ended
EXIT_NEXT = 3  # the run has done what it can until the user does something, which it names
WITH_WORKERS = ("download", "normalize")  # stages with processes of their own
GRACE = 5.0  # seconds for which the result of an ended process may still arrive


@dataclass(frozen=True, kw_only=True)
class TaskFailure:
    """A task that failed, and why in one line."""

    task: luigi.Task
    line: str

    @property
    def stage(self) -> str:
        """The name on the console."""
        return getattr(self.task, "stage", "run")


class Worker(worker.Worker):
    """Luigi's worker, which also keeps the tasks that failed in `failures`."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.failures: list[TaskFailure] = []
        self._ended: dict[str, float] = {}  # time at which a process was first seen to have ended, by task id

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
        self.failures.append(failure := TaskFailure(task=task, line=line))
        LOG.warning("%s failed: %s", failure.stage, line)

    def _purge_children(self) -> None:
        """Mark tasks as failed whose processes died."""
        super()._purge_children()  # handles exit codes other than 0
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
        """Follow an order of luigid. luigid has no password, so the order may be anything."""
        try:
            super()._handle_rpc_message(message)
        except Exception as error:
            LOG.warning("luigid asked for something that cannot be done: %s: %s", type(error).__name__, error)


class Factory:
    """Creates Luigi's schedulers and workers."""

    def __init__(self) -> None:
        self.failures: list[TaskFailure] = []  # of the newest worker

    def create_local_scheduler(self) -> scheduler.Scheduler:
        """A scheduler in this process."""
        return scheduler.Scheduler(prune_on_get_work=True, record_task_history=False)

    def create_remote_scheduler(self, url: str) -> Luigid:
        """The client of a luigid."""
        return Luigid(url)

    def create_worker(self, scheduler: Any, worker_processes: int, assistant: bool = False) -> Worker:
        """A worker that runs `worker_processes` tasks at once."""
        made = Worker(scheduler=scheduler, worker_processes=worker_processes, assistant=assistant)
        self.failures = made.failures
        return made


@contextmanager
def threads_logged() -> Iterator[None]:
    """Send tracebacks of threads to the log instead of the console, where nobody could act on them."""

    def log(failure: threading.ExceptHookArgs) -> None:
        LOG.error("a thread ended", exc_info=failure.exc_value)

    before, threading.excepthook = threading.excepthook, log
    try:
        yield
    finally:
        threading.excepthook = before


def _last_line(text: Any) -> str:
    """The last line of a traceback, which names the error."""
    return (str(text or "").strip().splitlines() or [""])[-1].removeprefix("pipeline.errors.")


# How Luigi ends when nothing failed but another worker runs a part
RUN_BY_OTHERS = (LuigiStatusCode.SUCCESS, LuigiStatusCode.NOT_RUN)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How Luigi's part of a run ended."""

    summary: str
    failures: tuple[TaskFailure, ...] = ()
    lost: str = ""  # why luigid did not answer any more; empty if it did


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
    gallery_updates.correct(pipeline.dataset)
    record = run_log.record(pipeline.dataset, pipeline.run_name)
    with _end_recorded(record):
        return _run(pipeline, task, record, url=url, workers=workers, finish=finish)


@contextmanager
def _end_recorded(record: run_log.RunLog) -> Iterator[None]:
    """Record the end of a run also if an error or a signal ends it before Luigi does."""
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, (KeyboardInterrupt, Stopped))
        if not record.state().end:
            record.add("end", outcome="stopped" if stopped else "failed", error=STOPPED if stopped else one_line(error))
        raise


def _run(
    pipeline: RunPipeline,
    task: luigi.Task,
    record: run_log.RunLog,
    *,
    url: str,
    workers: int,
    finish: Callable[[], None],
) -> int:
    asked = {name: getattr(pipeline, name) for name in ("settings", "labels", "forced", "once")}
    record.add("options", **asked)
    until = getattr(task, "stage", "")
    ahead = pipeline.stages_until(until)
    record.add("plan", until=until, stages=[stage.stage for stage in ahead])
    for stage in ahead:
        stage.mark_used()
        if not stage.complete():
            _fetch_weights(stage, lambda name, text: record.add_and_print("note", stage=name, text=text))
            for warning in stage.warnings():
                record.add_and_print("note", stage=stage.stage, text=warning)
    _prepare_processes([stage for stage in ahead if not stage.complete()], record, workers)
    configuration.get_config().set("core", "no_configure_logging", "true")
    with run_log.logging_to(record.log), threads_logged(), signals.listening():
        ending = build(task, workers, luigid.Waiting(url, lambda reason: record.add_and_print("wait", reason=reason)))
    if task.complete():
        finish()
    else:
        for stage in ahead:
            stage.mark_used()
    return _verdict(task, record, ending)


def _prepare_processes(stages: Sequence[StageTask], record: run_log.RunLog, workers: int) -> None:
    """Let the servers of processes import what these stages need, while the first of them begins."""
    if workers > 1:
        return  # Luigi's processes have servers of their own
    if any(stage.stage in WITH_WORKERS for stage in stages):
        fork_server.WORKERS.begin()
    if any(stage.isolated for stage in stages):
        isolation.warm_up(record.log.absolute())


def _fetch_weights(stage: StageTask, notify: Callable[[str, str], None]) -> None:
    if stage.stage == "classifier":
        backbones.fetch_classifier_weights(stage.options.backbone, notify)
    if isinstance(stage, Measured):
        backbones.fetch_extractor_weights(stage.stage, stage.options.extractor, notify)


def build(task: luigi.Task, workers: int, waiting: luigid.Waiting) -> Ending:
    """Let Luigi run `task`; while another worker runs a part of it or uses the GPU, or luigid is paused, ask again."""
    where = {"scheduler_url": waiting.url} if waiting.url else {"local_scheduler": True}
    while True:
        factory = Factory()
        try:
            outcome = luigi.build([task], factory, detailed_summary=True, workers=workers, **where)
        except RPCError as error:
            return Ending(summary="", failures=tuple(factory.failures), lost=str(error))
        ending = Ending(summary=outcome.status.value[1], failures=tuple(factory.failures))
        if outcome.status not in RUN_BY_OTHERS or task.complete() or signals.should_stop():
            return ending
        waiting.wait()
        if signals.should_stop():
            return ending


def _verdict(task: luigi.Task, record: run_log.RunLog, ending: Ending) -> int:
    """Record how the run ended and print it; returns the exit code."""
    if task.complete():
        if not record.state().end:
            _end_without_luigi(task, record)
        return 0
    _record_failures(record, ending)
    failed, stopped, awaiting = (_ended(record, outcome) for outcome in ("failed", "stopped", "next"))
    if signals.should_stop() or (stopped and not failed):
        record.add_and_print("end", outcome="stopped", error=stopped[-1].error if stopped else STOPPED)
        return EXIT_STOPPED
    if awaiting and not failed:
        record.add_and_print("end", outcome="next", error=f"next: {awaiting[-1].error}")
        return EXIT_NEXT
    for stage in failed:
        console.print_event(stage)
    if ending.lost or not failed:
        why = _without_luigid(ending.lost) if ending.lost else _of_the_run(ending)
        record.add_and_print("end", outcome="failed", error=f"not finished: {why}")
    else:
        record.add("end", outcome="failed", error=failed[0].line())
    print(f"details are in {record.log}", file=sys.stderr)
    return EXIT_FAILED


def _end_without_luigi(task: luigi.Task, record: run_log.RunLog) -> None:
    """Record the end of a run that made everything. Luigi's last task does so, unless luigid died before it ran."""
    if isinstance(task, RunPipeline):
        task.run()
    else:
        record.add("end", outcome="done")


def _record_failures(record: run_log.RunLog, ending: Ending) -> None:
    """Record the failure of stages that could not do so themselves because their processes died."""
    written = record.stages()
    for failure in ending.failures:
        if isinstance(failure.task, StageTask) and failure.stage not in written:
            error = with_dataset_flag(failure.line, failure.task.dataset)
            record.add("stage", stage=failure.stage, outcome="failed", error=error)


def _of_the_run(ending: Ending) -> str:
    return ending.failures[-1].line if ending.failures else ending.summary


def _without_luigid(why: str) -> str:
    return (
        f"luigid does not answer ({why}); what is made is kept: start it again (`make luigid`) and run again, or run"
        " without --scheduler"
    )


def _ended(record: run_log.RunLog, outcome: str) -> list[StageEnded]:
    """The stages that ended with `outcome`."""
    return [stage for stage in record.state().ended.values() if stage.outcome == outcome]
