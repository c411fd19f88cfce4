"""Where the page finds things: folders and the command to run, as tasks describes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.artifacts import ArtifactStore


@dataclass(frozen=True, kw_only=True)
class DatasetPaths:
    """One dataset on the disk."""

    dataset: str
    folder: Path  # the label log, raw pictures, runs
    download: ArtifactStore
    normalize: ArtifactStore
    classifier: ArtifactStore
    filter: ArtifactStore
    chosen: Callable[[], Path | None]  # the folder of squares that the settings name, if it is there
    settings: tuple[Path, ...] = ()  # the files that `chosen` reads

    @property
    def labels(self) -> Path:
        """The label log."""
        return self.folder / "labels.jsonl"


@dataclass(frozen=True, kw_only=True)
class Site:
    """All that a server shows."""

    datasets: Callable[[], list[str]]
    place: Callable[[str], DatasetPaths]
    command: tuple[str, ...]  # what `run`, `plan` and their flags come after
