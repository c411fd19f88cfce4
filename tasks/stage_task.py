"""The base class of the Luigi task of a stage: parameters, content key, `complete()`, and making the artifact.

`make_artifact` takes a lock, checks again whether the artifact is there, works in a temporary folder, then publishes
and records it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import luigi

from pipeline.errors import disk_faults
from pipeline.options import DEFAULT_DATASET
from pipeline.progress import Progress, ShouldStop, TellingProgress
from pipeline.result import Result
from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.manifest import Manifest, list_files, list_folders
from tasks import error_text, isolation, label_snapshots, locks, luigid, paths, run_log, signals
from tasks.settings import Settings, from_text, resolve
from tasks.stage_reporter import StageReporter

AnyTask = TypeVar("AnyTask", bound="RunTask")


class RunTask(luigi.Task):
    """A task of one run of one dataset.

    `settings` (options that differ from the defaults), `labels` (the digest of the labels when the run started) and
    `forced` (stages to make again) are set when the first task of a run is created, and passed up the chain: a label
    that is edited during the run belongs to the next run. A run with `once` is a trial: its settings are not
    remembered, and the artifacts that it uses do not become the latest.
    """

    dataset = luigi.Parameter(default=DEFAULT_DATASET, description="the subject's short name; folders are named by it")
    settings = luigi.Parameter(default="", description="options as JSON; those of luigi.cfg when empty")
    labels = luigi.Parameter(default="", description="digest of the labels; of those there are now when empty")
    forced = luigi.Parameter(default="", description="RUN:stage,stage makes those again")
    run_name = luigi.Parameter(default="", significant=False, description="the run's name under data/<dataset>/runs")
    once = luigi.BoolParameter(significant=False, description="a trial, which later commands do not speak of")
    unfinished = luigi.BoolParameter(significant=False, description="use a training that its time limit has ended")

    @classmethod
    def get_param_values(cls, params, args, kwargs):
        """Luigi's parameters, with the empty ones filled in from luigi.cfg and the labels as they are now."""
        values = dict(super().get_param_values(params, args, kwargs))
        dataset = values["dataset"]
        values["settings"] = values["settings"] or resolve(dataset, cls.overrides(values)).text()
        values["labels"] = values["labels"] or label_snapshots.take_snapshot(dataset, from_text(values["settings"]))
        values["run_name"] = values["run_name"] or run_log.new_name()
        return list(values.items())

    @classmethod
    def overrides(cls, values: dict[str, str]) -> dict[str, str]:
        """The options that these parameters set and luigi.cfg does not: `{"gan.epochs": "20"}`."""
        return {}

    @property
    def chosen(self) -> Settings:
        """The options of the stages up to this task."""
        return from_text(self.settings)

    def upstream(self, task: type[AnyTask]) -> AnyTask:
        """Another task of the same run; a stage gets only the options of the stages up to itself."""
        return cast(AnyTask, self.clone(task, settings=self.chosen.text(getattr(task, "stage", None))))


def make_artifact(task: "StageTask") -> None:
    """Publish the artifact of `task`, unless another run does so first."""
    record = run_log.record(task.dataset, task.run_name)
    with signals.listening(), run_log.logging_to(record.log), disk_faults(task.artifact_store.root):
        # The key is known: Luigi runs a stage when its inputs are there. While the stage waits for a lock, another run
        # may change its inputs: then it needs another key
        while not _make_if_missing(task, cast(str, task.key()), record):
            continue


def _make_if_missing(task: "StageTask", key: str, record: run_log.RunLog) -> bool:
    """Make the artifact `key`, if it is missing, once the locks are free; false if another key is needed then."""
    with ExitStack() as stack:
        for lock, reason in locks.of_stage(task.artifact_store.lock(key), trains=task.trains):
            notify = partial(record.add_and_print, "wait", stage=task.stage, reason=reason)
            stack.enter_context(locks.acquire(lock, notify))
        if task.key() != key:
            return False
        if not task.complete():
            if damage := task.artifact_store.damage(key):
                record.add_and_print("note", stage=task.stage, text=f"{damage}; it is made again")
            _make_and_report(task, key, record)
        return True


def _make_and_report(task: "StageTask", key: str, record: run_log.RunLog) -> None:
    """Make the artifact `key`; report its start, its progress, and its success or failure."""
    reporter = StageReporter(record, task.stage, partial(luigid.show_progress, task))
    try:
        with disk_faults(task.artifact_store.root), task.shown(key):
            manifest = _work_and_publish(task, key, record, reporter)
    except BaseException as error:
        why = error_text.with_dataset_flag(error_text.one_line(error), task.dataset)
        reporter.failed(error_text.outcome_of(error), why, key)
        raise
    reporter.made(manifest)


def _work_and_publish(task: "StageTask", key: str, record: run_log.RunLog, reporter: StageReporter) -> Manifest:
    """Do the work in a folder of its own and publish that folder."""
    began = time.monotonic()
    # Before the work: the inputs may change during hours of it
    draft = draft_manifest(task, key)
    folder = task.artifact_store.work(key, resume=task.resumable)
    if task.resumable:  # so that it is known what a stopped run was making
        manifests.write(draft, folder)
    reporter.started(key)
    result = _work(task, folder, record, reporter)
    manifest = replace(
        draft,
        outputs=result.outputs,
        summary=_with_notices(result.summary, task.notices_of(result.outputs)),
        unfinished=result.unfinished,
        files=list_files(folder, pictures=task.pictures),
        folders=list_folders(folder, task.pictures),
        created=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 2),
    )
    task.artifact_store.publish(folder, manifest, latest=not task.once)
    return manifest


def _with_notices(summary: dict[str, Any], notices: list[str]) -> dict[str, Any]:
    return {**summary, "notices": [*summary.get("notices", ()), *notices]} if notices else summary


def draft_manifest(task: "StageTask", key: str) -> Manifest:
    """The manifest of `key` as far as it is known before the work."""
    return Manifest(
        stage=task.stage,
        version=task.version,
        dataset=task.dataset,
        key=key,
        options=task.options.significant(),
        inputs=task.inputs() or {},  # never None here: the key is known
        notes=task.notes(),
        versions=run_log.versions(),
        run=task.run_name,
        forced=task.forced_by,
    )


def _work(task: "StageTask", folder: Path, record: run_log.RunLog, reporter: StageReporter) -> Result:
    work = partial(_call, task.function, task.options, {**task.arguments(), **task.folders()})
    hooks: dict[str, Any] = {
        "progress": TellingProgress(reporter.progress, reporter.tell),
        "should_stop": signals.should_stop,
    }
    if task.isolated:
        return isolation.call(work, folder=folder, log=record.log.absolute(), **hooks)
    return work(folder=folder, **hooks)


def _call(
    name: str, options: object, arguments: dict[str, Any], *, folder: Path, progress: Progress, should_stop: ShouldStop
) -> Result:
    """Import the stage's function and run it, here or in a process of its own."""
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    with disk_faults(folder):
        return cast(Result, work(options, **arguments, folder=folder, progress=progress, should_stop=should_stop))


_artifact_cache: ContextVar[dict[str, Artifact | None] | None] = ContextVar("_artifact_cache", default=None)


@contextmanager
def _cached_artifacts() -> Iterator[dict[str, Artifact | None]]:
    """The artifact of each task, kept during one walk up the chain, which visits most stages several times."""
    if (cache := _artifact_cache.get()) is not None:
        yield cache
        return
    token = _artifact_cache.set(cache := {})
    try:
        yield cache
    finally:
        _artifact_cache.reset(token)


class StageTask(RunTask):
    """One stage. A subclass says what it reads and which function of pipeline/ does the work."""

    stage: ClassVar[str]
    function: ClassVar[str]  # "module:name"; imported when it runs, so that no task loads TensorFlow
    version: ClassVar[int] = 1  # increased when the same inputs would give another output
    keyword: ClassVar[str] = ""  # argument for its folder in functions that read it; empty: the stage's name
    resumable: ClassVar[bool] = False  # resumes from the work folder of a stopped run
    pictures: ClassVar[str] = ""  # the folder with a file for each picture, which images.jsonl describes
    isolated: ClassVar[bool] = False  # uses TensorFlow: runs in a process of its own

    def reads(self) -> dict[type["StageTask"], tuple[str, ...]]:
        """The stages whose folders this one reads, each with the outputs whose digests are part of the content key."""
        return {}

    def content(self) -> dict[str, str]:
        """Digests of the other inputs: the labels, a definition, a folder of the user."""
        return {}

    def notes(self) -> dict[str, Any]:
        """The same content in words for the manifest: how many labels, which definition."""
        return {}

    def remark(self, *, again: bool) -> str:
        """What the plan adds about this stage, whether it runs `again` or not."""
        return ""

    def notices_of(self, outputs: Mapping[str, str]) -> list[str]:
        """What a person should know of an artifact with these `outputs`, besides what its function says of it."""
        return []

    def warnings(self) -> list[str]:
        """What a person should know before this stage runs, a line each."""
        return []

    def arguments(self) -> Mapping[str, object]:
        """The function's arguments besides its options and the folders of the stages it reads; typed in each stage."""
        return {}

    def shown(self, key: str) -> AbstractContextManager[None]:
        """Keeps the page of trainings up to date while the stage makes `key`, if it makes what that page shows."""
        return nullcontext()

    @property
    def trains(self) -> bool:
        """Whether this stage has to wait for other trainings on this machine."""
        return "gpu" in self.resources

    @property
    def options(self) -> Any:
        """This stage's options."""
        return self.chosen[self.stage]

    @property
    def artifact_store(self) -> ArtifactStore:
        """This stage's finished folders."""
        return paths.artifact_store(self.dataset, self.stage)

    @property
    def forced_by(self) -> str:
        """The name of the run that makes this stage again on request; empty if none does."""
        run, _, stages = self.forced.partition(":")
        return run if self.stage in stages.split(",") else ""

    def stages_read(self) -> list["StageTask"]:
        """The tasks of the stages that this one reads."""
        return [self.upstream(task) for task in self.reads()]

    def requires(self) -> Any:
        return self.stages_read()

    def known_inputs(self) -> dict[str, str]:
        """Content digests of what this stage reads; those of stages that are not complete are missing."""
        content_digests: dict[str, str] = {}
        for task, outputs in self.reads().items():
            if published := self.upstream(task).published():
                folder = f"{published.folder.name} {published.manifest.unfinished}".rstrip()
                digests = {"folder": folder, **published.manifest.outputs}
                content_digests |= {f"{task.stage}.{name}": digests[name] for name in outputs}
        return content_digests | self.content()

    def inputs(self) -> dict[str, str] | None:
        """Content digests of everything this stage reads; None while a stage upstream is not complete."""
        return self.known_inputs() if all(task.complete() for task in self.requires()) else None

    def key(self) -> str | None:
        """The content key: SHA-256 over name, version, significant options and inputs; None while these are unknown."""
        inputs = self.inputs()
        if inputs is None:
            return None
        return digest.of_value([self.stage, self.version, self.options.significant(), inputs])

    def published(self) -> Artifact | None:
        """The artifact made from exactly these inputs and options, if it is there, undamaged and finished.

        For the run that made it an unfinished one counts as well: the later stages use it, and the next run goes on.
        """
        with _cached_artifacts() as cache:
            if self.task_id not in cache:
                key = self.key()
                wanted: dict[str, Any] = {"forced": self.forced_by, "run": self.run_name, "unfinished": self.unfinished}
                cache[self.task_id] = None if key is None else self.artifact_store.find(key, **wanted)
            return cache[self.task_id]

    def finished(self) -> Artifact:
        """`published()` of a stage that is complete."""
        artifact = self.published()
        assert artifact is not None
        return artifact

    def complete(self) -> bool:
        return self.published() is not None

    def mark_used(self) -> None:
        """Let `latest` name the artifact of this stage, if there is one: an older one, if earlier settings are used
        again. A trial does not change `latest`.
        """
        if not self.once and (found := self.published()):
            self.artifact_store.point_latest(found.folder)

    def output(self) -> "StageTarget":
        return StageTarget(self)

    def folders(self) -> dict[str, Path]:
        """The folders of the stages it reads, by the name of the argument of its function."""
        return {task.keyword or task.stage: task.finished().folder for task in self.stages_read()}

    def run(self) -> None:
        make_artifact(self)

    def on_failure(self, exception: BaseException) -> str:
        """What luigid's page shows: one line for an error of the user, a traceback for a fault of this program."""
        return error_text.explain(exception) or super().on_failure(exception)


class StageTarget(luigi.Target):
    """The artifact of a stage as a Luigi target."""

    def __init__(self, task: StageTask) -> None:
        self.task = task

    def exists(self) -> bool:
        return self.task.complete()
