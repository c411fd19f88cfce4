"""Paths of a dataset's folders, and the command to run; `tasks` fills them in for the web server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.report.training_files import TrainingPaths
from pipeline.store.artifacts import ArtifactStore


@dataclass(frozen=True, kw_only=True)
class DatasetPaths:
    """The folders of one dataset."""

    dataset: str
    folder: Path  # contains the label log, raw pictures and runs
    generated: Path  # contains the register of trainings and their sample sheets
    download: ArtifactStore
    normalize: ArtifactStore
    classifier: ArtifactStore
    filter: ArtifactStore
    gan: ArtifactStore
    generate: ArtifactStore
    report: ArtifactStore

    @property
    def labels(self) -> Path:
        """The label log."""
        return self.folder / "labels.jsonl"

    @property
    def trainings(self) -> TrainingPaths:
        """Where the trainings are."""
        return TrainingPaths(folder=self.generated, gan=self.gan, generate=self.generate, report=self.report)

    @property
    def runs(self) -> Path:
        """The records of the runs."""
        return self.folder / "runs"


@dataclass(frozen=True, kw_only=True)
class Site:
    """All datasets that a server shows."""

    datasets: Callable[[], list[str]]
    paths: Callable[[str], DatasetPaths]
    command: tuple[str, ...]  # the program: `run`, `plan` and their flags are appended
    models: Path = Path("models")  # the folder of the definitions
    scheduler: str = ""  # the address of luigid for the runs; empty: as luigi.cfg says
    versions: Mapping[str, int] = field(default_factory=dict)  # of the stages, as the program makes them now
    data: Path = Path("data")  # the folder of the datasets; what belongs to none of them is in hidden folders of it
