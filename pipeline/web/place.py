"""Where the page finds things: folders and the command to run, as tasks describes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class Place:
    """One dataset on the disk."""

    dataset: str
    folder: Path  # the label log, raw pictures, runs
    download: Shelf
    normalize: Shelf
    classifier: Shelf
    filter: Shelf
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
    place: Callable[[str], Place]
    command: tuple[str, ...]  # what `run`, `plan` and their flags come after
