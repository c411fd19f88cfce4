"""Making one stage: lock, look again, work, publish, record."""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import BaseFileLock, FileLock, Timeout

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped, UserError
from pipeline.result import Result
from pipeline.store.manifest import Manifest, list_files
from tasks import isolation, records, stop, words
from tasks.progress import Console

if TYPE_CHECKING:
    from tasks.stage_task import StageTask


def make(task: "StageTask") -> None:
    """Publish the folder of `task`, unless another run does so first."""
    record, key = records.record(task.dataset, task.run_name), task.key()
    with ExitStack() as stack:
        stack.enter_context(stop.listening())
        stack.enter_context(records.logging_to(record.log))
        for lock in _locks(task, key):
            stack.enter_context(_taken(lock, task.stage))
        if task.complete():
            return
        if damage := task.shelf.damage(key):
            words.say(task.stage, f"{damage}; it is made again")
        _make(task, key, record)


def explain(error: BaseException) -> str:
    """One line for an error that a user can mend or asked for; empty for a fault of ours."""
    if isinstance(error, Stopped):
        return "stopped; the next run goes on from here"
    return str(error) if isinstance(error, UserError) else ""


def _last_line(error: BaseException) -> str:
    """What a fault of ours is called; its traceback is in the log."""
    if isinstance(error, isolation.StageCrashed):
        return str(error).strip().splitlines()[-1]
    return f"{type(error).__name__}: {error}"


def _locks(task: "StageTask", key: str) -> list[BaseFileLock]:
    locks = [task.shelf.lock(key)]
    if "gpu" in task.resources:  # the local scheduler counts resources within one process only
        locks.append(FileLock(Path(tempfile.gettempdir()) / "ganmill-gpu.lock", mode=0o666))
    return locks


def _taken(lock: BaseFileLock, stage: str):
    """Take `lock`, saying so if that takes a while; give up when asked to stop."""
    said = False
    while True:
        try:
            return lock.acquire(timeout=0.5)
        except Timeout:
            if stop.should_stop():
                raise Stopped from None
            if not said:
                words.say(stage, "waits: another run holds it")
            said = True


def _make(task: "StageTask", key: str, record: records.Record) -> None:
    began = time.monotonic()
    draft = _draft(task, key, record.run)  # what goes in is written down before the work, which may take hours
    folder = task.shelf.work(key, resume=task.resumable)
    try:
        result = _work(task, folder, record)
    except BaseException as error:
        outcome = "stopped" if isinstance(error, Stopped) else "failed"
        record.add("stage", stage=task.stage, key=key, outcome=outcome, error=explain(error) or _last_line(error))
        raise
    manifest = replace(
        draft,
        outputs=result.outputs,
        summary=result.summary,
        files=list_files(folder),
        created=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 2),
    )
    task.shelf.publish(folder, manifest)
    record.add("stage", stage=task.stage, key=key, outcome="ran", seconds=manifest.seconds, summary=result.summary)
    words.say(task.stage, f"{words.stage_line(manifest)} ({words.duration(manifest.seconds)})")
    for notice in words.notices(manifest):
        words.say(task.stage, notice)


def _draft(task: "StageTask", key: str, run: str) -> Manifest:
    """The manifest as far as it is known beforehand."""
    return Manifest(
        stage=task.stage,
        version=task.version,
        dataset=task.dataset,
        key=key,
        options=task.options.significant(),
        inputs=task.inputs(),
        notes=task.notes(),
        versions=records.versions(),
        run=run,
        forced=task.forced_by,
    )


def _work(task: "StageTask", folder: Path, record: records.Record) -> Result:
    work = partial(_call, task.function, task.options, {**task.arguments(), **task.folders()})
    with Console(task.stage, partial(_tell, task)) as console:
        hooks = {"progress": console.update, "should_stop": stop.should_stop}
        if task.isolated:
            return isolation.call(work, folder=folder, log=record.log.absolute(), **hooks)
        return work(folder=folder, **hooks)


def _call(name: str, options: object, arguments: dict, *, folder: Path, progress: Progress, should_stop: ShouldStop):
    """Import the stage's function and run it, here or in a process of its own."""
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    return work(options, **arguments, folder=folder, progress=progress, should_stop=should_stop)


def _tell(task: "StageTask", note: str, percent: float | None) -> None:
    """Show progress on luigid's page; outside a worker there is no one to tell."""
    if task.set_status_message:
        task.set_status_message(note)
    if task.set_progress_percentage and percent is not None:
        task.set_progress_percentage(percent)
