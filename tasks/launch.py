"""Handing a task to Luigi, and saying how that went."""

import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import luigi
from luigi import LuigiStatusCode, configuration
from luigi.execution_summary import LuigiRunResult
from luigi.rpc import RPCError

from pipeline.errors import UserError
from tasks import backbones, isolation, records, stop, words
from tasks.run_pipeline import RunPipeline
from tasks.run_task import DEFAULT_DATASET
from tasks.stage_task import StageTask
from tasks.stages import Measured

# What Luigi calls it when nothing failed but a part was not its to run
OTHERS_AT_IT = (LuigiStatusCode.SUCCESS, LuigiStatusCode.NOT_RUN)
WAIT = 2.0  # seconds before asking the scheduler again


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
        _check_reachable(url)
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
    with records.logging_to(record.log), stop.listening():
        outcome = _build(task, workers, {"scheduler_url": url} if url else {"local_scheduler": True})
    if task.complete():
        finish()
    return _verdict(task, pipeline.dataset, record, outcome)


def _bring_weights(stage: StageTask) -> None:
    if stage.stage == "classifier":
        backbones.bring(stage.options.backbone)
    if isinstance(stage, Measured):
        backbones.bring_to_measure(stage.stage, stage.options.extractor)


def _build(task: luigi.Task, workers: int, where: dict[str, Any]) -> LuigiRunResult:
    """Let Luigi run `task`; while another worker is at a part of it or holds the GPU, wait and ask again."""
    said = False
    while True:
        try:
            outcome = luigi.build([task], workers=workers, detailed_summary=True, **where)
        except RPCError as error:
            url = where.get("scheduler_url")
            raise UserError(f"luigid at {url} stopped answering; what was made is kept, run again: {error}") from None
        if outcome.status not in OTHERS_AT_IT or task.complete() or stop.should_stop():
            return outcome
        if not said:
            print("waits: another worker is at it, or holds the GPU", file=sys.stderr, flush=True)
        said = True
        time.sleep(WAIT)


def _verdict(task: luigi.Task, dataset: str, record: records.Record, outcome: LuigiRunResult) -> int:
    if task.complete():
        if record.rows()[-1]["event"] != "end":
            record.add("end", outcome="done")
        return 0
    failed, stopped = (_ended(record, outcome) for outcome in ("failed", "stopped"))
    if stop.should_stop() or (stopped and not failed):  # a stage may have a limit of its own
        record.add("end", outcome="stopped")
        print(stopped[-1]["error"] if stopped else "stopped; the next run goes on from here", file=sys.stderr)
        return 130
    record.add("end", outcome="failed")
    for row in failed:
        words.say(row["stage"], f"failed: {_for_dataset(row['error'], dataset)}")
    if not failed:
        print(f"not finished: {outcome.one_line_summary}", file=sys.stderr)
    print(f"the whole story is in {record.log}", file=sys.stderr)
    return 1


def _ended(record: records.Record, outcome: str) -> list[dict[str, Any]]:
    """The rows of the stages that ended so."""
    return [row for row in record.rows() if row["event"] == "stage" and row["outcome"] == outcome]


def _for_dataset(advice: str, dataset: str) -> str:
    """The stages know no dataset; the commands that they advise are for this one."""
    if dataset == DEFAULT_DATASET:
        return advice
    return re.sub(r"(python -m tasks (?:labels )?\w+)", rf"\1 --dataset {dataset}", advice)


def _check_reachable(url: str) -> None:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/resource_list?data=%7B%7D", timeout=5) as answer:
            if "response" not in json.load(answer):
                raise ValueError("it is another server")
    except (OSError, ValueError) as error:  # urllib's and json's own are of these kinds
        reason = "it is another server" if isinstance(error, ValueError) else getattr(error, "reason", error)
        raise UserError(
            f"luigid at {url} does not answer ({reason}); start it with `make luigid`, or"
            " run without --scheduler and without [core] scheduler_url in luigi.cfg"
        ) from None
