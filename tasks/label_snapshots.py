"""The labels as they stand when a run starts: one file a state, named by its digest."""

from pathlib import Path

from pipeline.labels.log import LabelLog
from pipeline.labels.snapshot import read_snapshot, snapshot_digest, write_snapshot
from tasks import paths
from tasks.settings import Settings

SEED = "seed"  # the embedded subject before its first run: its labels are made once its pictures are there
EMPTY = snapshot_digest({})
_held: dict[tuple[str, str], dict[str, str]] = {}  # by dataset and digest: what this process has found


def log(dataset: str) -> LabelLog:
    """The label log of a dataset."""
    return LabelLog(paths.dataset_folder(dataset) / "labels.jsonl")


def take(dataset: str, chosen: Settings) -> str:
    """The digest that names the labels there are now, or SEED. They are held until a run writes them down (`keep`): a
    plan writes nothing."""
    labels = log(dataset).effective()
    if not labels:
        return SEED if chosen["download"].sources == ("demo",) else EMPTY
    name = snapshot_digest(labels)
    _held[dataset, name] = labels
    return name


def keep(dataset: str, labels: str) -> None:
    """Write down the labels that `take` found, so that later edits belong to the next run."""
    if (held := _held.get((dataset, labels))) is not None:
        write_snapshot(held, paths.dataset_folder(dataset))


def digest(dataset: str, labels: str) -> str:
    """The digest that `labels` (a digest, or SEED) stands for."""
    return snapshot_digest(log(dataset).effective()) if labels == SEED else labels


def path(dataset: str, labels: str) -> Path:
    """The file that holds those labels; written now if they are the seed or none."""
    folder = paths.dataset_folder(dataset)
    if labels in (SEED, EMPTY):
        return write_snapshot(log(dataset).effective() if labels == SEED else {}, folder)
    return folder / "labels" / f"{labels}.jsonl"


def count(dataset: str, labels: str) -> int:
    """How many labels those are."""
    if labels in (SEED, EMPTY):
        return len(log(dataset).effective()) if labels == SEED else 0
    held = _held.get((dataset, labels))
    return len(read_snapshot(path(dataset, labels)) if held is None else held)
