"""What every stage's task shares: the key over contents, and completeness that looks all the way up."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar

import luigi

from pipeline.store import digest
from pipeline.store.shelf import Published, Shelf
from tasks import homes, making
from tasks.run_task import RunTask

_found: ContextVar[dict[str, Published | None] | None] = ContextVar("_found", default=None)


@contextmanager
def _one_look() -> Iterator[dict[str, Published | None]]:
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
    def shelf(self) -> Shelf:
        """This stage's finished folders."""
        return homes.shelf(self.dataset, self.stage)

    @property
    def forced_by(self) -> str:
        """The rerun that wants this stage made again; empty when none does."""
        run, _, stages = self.forced.partition(":")
        return run if self.stage in stages.split(",") else ""

    def stages_read(self) -> list["StageTask"]:
        """The tasks of the stages that this one reads."""
        return [self.upstream(task) for task in self.reads()]

    def requires(self) -> list[luigi.Task]:
        return self.stages_read()

    def inputs(self) -> dict[str, str] | None:
        """Content digests of everything this stage reads; None while something upstream is still to be made."""
        if not all(task.complete() for task in self.requires()):
            return None
        found = {}
        for task, outputs in self.reads().items():
            published = self.upstream(task).published()
            digests = {"folder": published.folder.name, **published.manifest.outputs}
            found |= {f"{task.stage}.{name}": digests[name] for name in outputs}
        return found | self.content()

    def key(self) -> str | None:
        """SHA-256 over the stage's name, version, significant options and inputs; None while those are not known."""
        inputs = self.inputs()
        if inputs is None:
            return None
        return digest.of_value([self.stage, self.version, self.options.significant(), inputs])

    def published(self) -> Published | None:
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
        return {task.keyword or task.stage: task.published().folder for task in self.stages_read()}

    def run(self) -> None:
        making.make(self)

    def on_failure(self, exception: BaseException) -> str:
        """What luigid's page shows: one line for a user's mistake, a traceback for ours."""
        return making.explain(exception) or super().on_failure(exception)


class StageTarget(luigi.Target):
    """The finished folder of a stage, as Luigi asks after it."""

    def __init__(self, task: StageTask) -> None:
        self.task = task

    def exists(self) -> bool:
        return self.task.complete()
