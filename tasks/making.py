"""Making one stage: lock, look again, work, publish, record."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import BaseFileLock, FileLock, Timeout

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped, UserError, is_for_the_user, of_system
from pipeline.result import Result
from pipeline.store.manifest import Manifest, list_files
from tasks import isolation, records, stop, words
from tasks.progress import Console

if TYPE_CHECKING:
    from tasks.stage_task import StageTask


def make(task: "StageTask") -> None:
    """Publish the folder of `task`, unless another run does so first."""
    record = records.record(task.dataset, task.run_name)
    with stop.listening(), records.logging_to(record.log), _disk_faults(task.shelf.root):
        # What it reads may be made anew while it waits for its turn, and then it is another key that is to be made
        while not _made(task, task.key(), record):
            continue


def _made(task: "StageTask", key: str, record: records.Record) -> bool:
    """Make `key` once it is this run's turn; false if that is not what is to be made any more."""
    with ExitStack() as stack:
        for lock, reason in _locks(task, key):
            stack.enter_context(_taken(lock, f"waits: {reason}", task.stage))
        if task.key() != key:
            return False
        if not task.complete():
            if damage := task.shelf.damage(key):
                words.say(task.stage, f"{damage}; it is made again")
            _make(task, key, record)
        return True


def explain(error: BaseException) -> str:
    """One line for an error that a user can mend or asked for; empty for a fault of ours."""
    if isinstance(error, Stopped):
        return str(error) or "stopped; the next run goes on from here"
    return str(error) if isinstance(error, UserError) else ""


def _last_line(error: BaseException) -> str:
    """What a fault of ours is called; its traceback is in the log."""
    if isinstance(error, isolation.StageCrashed):
        return str(error).strip().splitlines()[-1]
    return " ".join(f"{type(error).__name__}: {error}".splitlines()[-1:])


def _locks(task: "StageTask", key: str) -> list[tuple[BaseFileLock, str]]:
    """The locks that this stage takes, each with what it waits for if it is taken."""
    locks = [(task.shelf.lock(key), "another run makes the same")]
    if "gpu" in task.resources:  # the local scheduler counts resources within one process only
        device = re.sub(r"\W+", "-", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        name = "-".join(["ganmill-gpu", *filter(None, [device])])
        locks.append((FileLock(Path(tempfile.gettempdir()) / f"{name}.lock", mode=0o666), "another run has the GPU"))
    return locks


def _taken(lock: BaseFileLock, reason: str, stage: str):
    """Take `lock`, saying so if that takes a while; give up when asked to stop."""
    said = False
    while True:
        try:
            return lock.acquire(timeout=0.5)
        except Timeout:
            if stop.should_stop():
                raise Stopped from None
            if not said:
                words.say(stage, reason)
            said = True


def _make(task: "StageTask", key: str, record: records.Record) -> None:
    try:
        with _disk_faults(task.shelf.root):
            manifest = _publish(task, key, record)
    except BaseException as error:
        outcome = "stopped" if isinstance(error, Stopped) else "failed"
        record.add("stage", stage=task.stage, key=key, outcome=outcome, error=explain(error) or _last_line(error))
        raise
    record.add("stage", stage=task.stage, key=key, outcome="ran", seconds=manifest.seconds, summary=manifest.summary)
    words.say(task.stage, f"{words.stage_line(manifest)} ({words.duration(manifest.seconds)})")
    for notice in words.notices(manifest):
        words.say(task.stage, notice)


def _publish(task: "StageTask", key: str, record: records.Record) -> Manifest:
    """Do the work and publish its folder."""
    began = time.monotonic()
    draft = _draft(task, key, record.run)  # what goes in is written down before the work, which may take hours
    folder = task.shelf.work(key, resume=task.resumable)
    result = _work(task, folder, record)
    manifest = replace(
        draft,
        outputs=result.outputs,
        summary=result.summary,
        files=list_files(folder),
        created=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 2),
    )
    task.shelf.publish(folder, manifest)
    return manifest


@contextmanager
def _disk_faults(place: Path) -> Iterator[None]:
    """A disk that is full or may not be written to is for the user to mend, and no fault of this program."""
    try:
        yield
    except OSError as error:
        if not is_for_the_user(error):
            raise
        raise of_system(error, place) from error


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
    with _disk_faults(folder):
        return work(options, **arguments, folder=folder, progress=progress, should_stop=should_stop)


def _tell(task: "StageTask", note: str, percent: float | None) -> None:
    """Show progress on luigid's page; outside a worker there is no one to tell."""
    if task.set_status_message:
        task.set_status_message(note)
    if task.set_progress_percentage and percent is not None:
        task.set_progress_percentage(percent)
