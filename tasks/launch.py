"""Handing a task to Luigi, and saying how that went."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import luigi
from luigi import LuigiStatusCode, configuration
from luigi.rpc import RPCError

from pipeline.errors import UserError
from tasks import backbones, isolation, luigid, records, stop, words, worker
from tasks.run_pipeline import RunPipeline
from tasks.run_task import DEFAULT_DATASET
from tasks.stage_task import StageTask
from tasks.stages import Measured

# What Luigi calls it when nothing failed but a part was not its to run
OTHERS_AT_IT = (LuigiStatusCode.SUCCESS, LuigiStatusCode.NOT_RUN)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How Luigi's part of a run ended."""

    summary: str
    faults: tuple[worker.Fault, ...] = ()
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
    record = records.record(pipeline.dataset, pipeline.run_name)
    record.add("options", settings=pipeline.settings, labels=pipeline.labels, forced=pipeline.forced)
    ahead = pipeline.stages_until(getattr(task, "stage", ""))
    for stage in ahead:
        if not stage.complete():
            _bring_weights(stage)
            for warning in stage.warnings():
                words.say(stage.stage, warning)
    if workers == 1 and any(stage.isolated and not stage.complete() for stage in ahead):
        isolation.warm_up(record.log.absolute())
    configuration.get_config().set("core", "no_configure_logging", "true")
    with records.logging_to(record.log), worker.threads_logged(), stop.listening():
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
        factory = worker.Factory()
        try:
            outcome = luigi.build([task], factory, detailed_summary=True, workers=workers, **where)
        except RPCError as error:
            return Ending(summary="", faults=tuple(factory.faults), lost=str(error))
        ending = Ending(summary=outcome.status.value[1], faults=tuple(factory.faults))
        if outcome.status not in OTHERS_AT_IT or task.complete() or stop.should_stop():
            return ending
        waiting.a_while()
        if stop.should_stop():
            return ending


def _verdict(task: luigi.Task, dataset: str, record: records.Record, ending: Ending) -> int:
    if task.complete():
        if record.rows()[-1]["event"] != "end":
            _end_without_luigi(task, record)
        return 0
    _record_faults(record, ending)
    failed, stopped = (_ended(record, outcome) for outcome in ("failed", "stopped"))
    if stop.should_stop() or (stopped and not failed):  # a stage may have a limit of its own
        record.add("end", outcome="stopped")
        print(stopped[-1]["error"] if stopped else "stopped; the next run goes on from here", file=sys.stderr)
        return 130
    record.add("end", outcome="failed")
    for row in failed:
        words.say(row["stage"], f"failed: {_for_dataset(row['error'], dataset)}")
    if ending.lost:
        print(f"not finished: {_without_luigid(ending.lost)}", file=sys.stderr)
    elif not failed:
        print(f"not finished: {_of_the_run(ending)}", file=sys.stderr)
    print(f"the whole story is in {record.log}", file=sys.stderr)
    return 1


def _end_without_luigi(task: luigi.Task, record: records.Record) -> None:
    """Close the record of a run that made everything; Luigi's last task does so, unless luigid was lost before it."""
    if isinstance(task, RunPipeline):
        task.run()
    else:
        record.add("end", outcome="done")


def _record_faults(record: records.Record, ending: Ending) -> None:
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


def _ended(record: records.Record, outcome: str) -> list[dict[str, Any]]:
    """The rows of the stages that ended so."""
    return [row for row in record.rows() if row["event"] == "stage" and row["outcome"] == outcome]


def _for_dataset(advice: str, dataset: str) -> str:
    """The stages know no dataset; the commands that they advise are for this one."""
    if dataset == DEFAULT_DATASET:
        return advice
    return re.sub(r"(python -m tasks (?:labels )?\w+)", rf"\1 --dataset {dataset}", advice)
