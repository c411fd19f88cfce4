"""The base of every stage's Luigi task: parameters, content key, completeness, and making the artifact.

Making takes a lock, looks again, works in a temporary folder, publishes it and writes the run log.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import luigi
from filelock import BaseFileLock, FileLock, Timeout

from pipeline.errors import Stopped, UserError, disk_faults
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.store import digest
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.manifest import Manifest, list_files
from tasks import console, isolation, label_snapshots, paths, run_log, signals
from tasks.console import Console
from tasks.settings import Settings, from_text, resolve

DEFAULT_DATASET = "demo"
AnyTask = TypeVar("AnyTask", bound="RunTask")


class RunTask(luigi.Task):
    """A task of one run of one dataset.

    `settings` (what differs from the defaults), `labels` (the digest of the labels when the run started) and `forced`
    (which stages to make again) are fixed when the first task of a run is made and handed up the chain, so that a
    label edited meanwhile belongs to the next run.
    """

    dataset = luigi.Parameter(default=DEFAULT_DATASET, description="the subject's short name; folders are named by it")
    settings = luigi.Parameter(default="", description="options as JSON; those of luigi.cfg when empty")
    labels = luigi.Parameter(default="", description="digest of the labels; of those there are now when empty")
    forced = luigi.Parameter(default="", description="RUN:stage,stage makes those again")
    run_name = luigi.Parameter(default="", significant=False, description="the run's name under data/<dataset>/runs")

    @classmethod
    def get_param_values(cls, params, args, kwargs):
        """Luigi's own, with what was left empty filled in as things stand now."""
        values = dict(super().get_param_values(params, args, kwargs))
        dataset = values["dataset"]
        values["settings"] = values["settings"] or resolve(dataset, cls.overrides(values)).text()
        values["labels"] = values["labels"] or label_snapshots.take(dataset, from_text(values["settings"]))
        values["run_name"] = values["run_name"] or run_log.new_name()
        return list(values.items())

    @classmethod
    def overrides(cls, values: dict[str, str]) -> dict[str, str]:
        """The options that these parameters give beside luigi.cfg: `{"gan.epochs": "20"}`."""
        return {}

    @property
    def chosen(self) -> Settings:
        """The options of the stages as far as this task knows them."""
        return from_text(self.settings)

    def upstream(self, task: type[AnyTask]) -> AnyTask:
        """Another task of the same run; a stage is told the options of the stages up to itself, no others."""
        return cast(AnyTask, self.clone(task, settings=self.chosen.text(getattr(task, "stage", None))))


def make(task: "StageTask") -> None:
    """Publish the folder of `task`, unless another run does so first."""
    record = run_log.record(task.dataset, task.run_name)
    with signals.listening(), run_log.logging_to(record.log), disk_faults(task.shelf.root):
        # What it reads may be made anew while it waits for its turn, and then it is another key that is to be made
        while not _made(task, cast(str, task.key()), record):  # Luigi runs a stage when its inputs are there
            continue


def _made(task: "StageTask", key: str, record: run_log.RunLog) -> bool:
    """Make `key` once it is this run's turn; false if that is not what is to be made any more."""
    with ExitStack() as stack:
        for lock, reason in _locks(task, key):
            stack.enter_context(_taken(lock, f"waits: {reason}", task.stage))
        if task.key() != key:
            return False
        if not task.complete():
            if damage := task.shelf.damage(key):
                console.say(task.stage, f"{damage}; it is made again")
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
    locks: list[tuple[BaseFileLock, str]] = [(task.shelf.lock(key), "another run makes the same")]
    if "gpu" in task.resources:  # the local scheduler counts resources within one process only
        device = re.sub(r"\W+", "-", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        name = "-".join(["ganmill-gpu", *filter(None, [device])])
        locks.append((FileLock(Path(tempfile.gettempdir()) / f"{name}.lock", mode=0o666), "another run has the GPU"))
    return locks


def _taken(lock: BaseFileLock, reason: str, stage: str) -> AbstractContextManager[Any]:
    """Take `lock`, saying so if that takes a while; give up when asked to stop."""
    said = False
    while True:
        try:
            return lock.acquire(timeout=0.5)
        except Timeout:
            if signals.should_stop():
                raise Stopped from None
            if not said:
                console.say(stage, reason)
            said = True


def _make(task: "StageTask", key: str, record: run_log.RunLog) -> None:
    try:
        with disk_faults(task.shelf.root):
            manifest = _publish(task, key, record)
    except BaseException as error:
        outcome = "stopped" if isinstance(error, Stopped) else "failed"
        record.add("stage", stage=task.stage, key=key, outcome=outcome, error=explain(error) or _last_line(error))
        raise
    record.add("stage", stage=task.stage, key=key, outcome="ran", seconds=manifest.seconds, summary=manifest.summary)
    console.say(task.stage, f"{console.stage_line(manifest)} ({console.duration(manifest.seconds)})")
    for notice in console.notices(manifest):
        console.say(task.stage, notice)


def _publish(task: "StageTask", key: str, record: run_log.RunLog) -> Manifest:
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


def _draft(task: "StageTask", key: str, run: str) -> Manifest:
    """The manifest as far as it is known beforehand."""
    return Manifest(
        stage=task.stage,
        version=task.version,
        dataset=task.dataset,
        key=key,
        options=task.options.significant(),
        inputs=task.inputs() or {},  # without them there would be no key
        notes=task.notes(),
        versions=run_log.versions(),
        run=run,
        forced=task.forced_by,
    )


def _work(task: "StageTask", folder: Path, record: run_log.RunLog) -> Result:
    work = partial(_call, task.function, task.options, {**task.arguments(), **task.folders()})
    with Console(task.stage, partial(_tell, task)) as shown:
        if task.isolated:
            work = partial(isolation.call, work, log=record.log.absolute())
        return work(folder=folder, progress=shown.update, should_stop=signals.should_stop)


def _call(
    name: str, options: object, arguments: dict[str, Any], *, folder: Path, progress: Progress, should_stop: ShouldStop
) -> Result:
    """Import the stage's function and run it, here or in a process of its own."""
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    with disk_faults(folder):
        return cast(Result, work(options, **arguments, folder=folder, progress=progress, should_stop=should_stop))


def _tell(task: "StageTask", note: str, percent: float | None) -> None:
    """Show progress on luigid's page; outside a worker there is no one to tell."""
    if task.set_status_message:
        task.set_status_message(note)
    if task.set_progress_percentage and percent is not None:
        task.set_progress_percentage(percent)


_found: ContextVar[dict[str, Artifact | None] | None] = ContextVar("_found", default=None)


@contextmanager
def _one_look() -> Iterator[dict[str, Artifact | None]]:
    """What was found of each task in this look up the chain, which comes by most stages several times."""
    if (found := _found.get()) is not None:
        yield found
        return
    token = _found.set(found := {})
    try:
        yield found
    finally:
        _found.reset(token)


class StageTask(RunTask):
    """One stage. A subclass says what it reads and which function of pipeline/ does the work."""

    stage: ClassVar[str]
    function: ClassVar[str]  # "module:name"; imported when it runs, so that no task loads TensorFlow
    version: ClassVar[int] = 1  # bumped when the same inputs would give another output
    keyword: ClassVar[str] = ""  # what the functions that read this stage's folder call it, if not by the stage
    resumable: ClassVar[bool] = False  # goes on from what a stopped run left in its work folder
    isolated: ClassVar[bool] = False  # uses TensorFlow: runs in a process of its own

    def reads(self) -> dict[type["StageTask"], tuple[str, ...]]:
        """The stages whose folders this one reads, each with the outputs whose digests enter the key."""
        return {}

    def content(self) -> dict[str, str]:
        """Digests of what else this stage reads: the labels, a definition, a folder of the user's."""
        return {}

    def notes(self) -> dict[str, Any]:
        """What a person would call that content: how many labels, which definition."""
        return {}

    def remark(self, *, again: bool) -> str:
        """What the plan should say of this stage besides, whether it runs `again` or not."""
        return ""

    def warnings(self) -> list[str]:
        """What a person should know before this stage takes its time."""
        return []

    def arguments(self) -> dict[str, Any]:
        """What the function wants beside its options and the folders of the stages it reads."""
        return {}

    @property
    def options(self) -> Any:
        """This stage's options."""
        return self.chosen[self.stage]

    @property
    def shelf(self) -> ArtifactStore:
        """This stage's finished folders."""
        return paths.shelf(self.dataset, self.stage)

    @property
    def forced_by(self) -> str:
        """The rerun that wants this stage made again; empty when none does."""
        run, _, stages = self.forced.partition(":")
        return run if self.stage in stages.split(",") else ""

    def stages_read(self) -> list["StageTask"]:
        """The tasks of the stages that this one reads."""
        return [self.upstream(task) for task in self.reads()]

    def requires(self) -> Any:
        return self.stages_read()

    def inputs(self) -> dict[str, str] | None:
        """Content digests of everything this stage reads; None while something upstream is still to be made."""
        if not all(task.complete() for task in self.requires()):
            return None
        found: dict[str, str] = {}
        for task, outputs in self.reads().items():
            published = self.upstream(task).finished()
            digests = {"folder": published.folder.name, **published.manifest.outputs}
            found |= {f"{task.stage}.{name}": digests[name] for name in outputs}
        return found | self.content()

    def key(self) -> str | None:
        """SHA-256 over the stage's name, version, significant options and inputs; None while those are not known."""
        inputs = self.inputs()
        if inputs is None:
            return None
        return digest.of_value([self.stage, self.version, self.options.significant(), inputs])

    def finished(self) -> Artifact:
        """`published()` of a stage that is complete."""
        found = self.published()
        assert found is not None
        return found

    def published(self) -> Artifact | None:
        """The finished folder made from just these inputs and options, if it is there and whole."""
        with _one_look() as found:
            if self.task_id not in found:
                key = self.key()
                found[self.task_id] = None if key is None else self.shelf.find(key, forced=self.forced_by)
            return found[self.task_id]

    def complete(self) -> bool:
        return self.published() is not None

    def output(self) -> "StageTarget":
        return StageTarget(self)

    def folders(self) -> dict[str, Path]:
        """The folders of the stages it reads, named as its function takes them."""
        return {task.keyword or task.stage: task.finished().folder for task in self.stages_read()}

    def run(self) -> None:
        make(self)

    def on_failure(self, exception: BaseException) -> str:
        """What luigid's page shows: one line for a user's mistake, a traceback for ours."""
        return explain(exception) or super().on_failure(exception)


class StageTarget(luigi.Target):
    """The finished folder of a stage, as Luigi asks after it."""

    def __init__(self, task: StageTask) -> None:
        self.task = task

    def exists(self) -> bool:
        return self.task.complete()
