"""The base class of the Luigi task of a stage: parameters, content key, and `complete()`.

`make_artifact` does the work: it makes the artifact, unless another run does so first.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import luigi

from pipeline.dataset_names import DEFAULT_DATASET
from pipeline.store import digest
from pipeline.store.artifacts import Artifact, ArtifactStore
from tasks import error_text, label_snapshots, paths, run_log
from tasks.make_artifact import make_artifact
from tasks.settings import Settings, from_text, resolve

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
        return paths.shared_store(self.dataset, self.stage)

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
                # An artifact of an earlier version may lack an output: then its folder stands for it
                content_digests |= {f"{task.stage}.{name}": digests.get(name, folder) for name in outputs}
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
        again. A trial does not change `latest`. If machines share a storage, the artifact is here and there then.
        """
        if found := self.published():
            store = self.artifact_store
            if words := store.to_share(found):
                run_log.record(self.dataset, self.run_name).add_and_print("note", stage=self.stage, text=words)
            folder = store.share(found).folder
            if not self.once:
                store.point_latest(folder)

    def output(self) -> "StageTarget":
        return StageTarget(self)

    def folders(self) -> dict[str, Path]:
        """The folders of the stages it reads, by the name of the argument of its function."""
        return {
            task.keyword or task.stage: task.artifact_store.bring(task.finished()).folder for task in self.stages_read()
        }

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
