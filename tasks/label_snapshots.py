"""Snapshots of the labels at the start of a run: one file for each state, named by its digest."""

from pathlib import Path

from pipeline.labels.log import LabelLog
from pipeline.labels.snapshot import read_snapshot, snapshot_digest, write_snapshot
from tasks import paths
from tasks.settings import Settings

SEED = "seed"  # the demo before its first run: its labels are made after its squares
EMPTY = snapshot_digest({})
_labels_by_digest: dict[tuple[str, str], dict[str, str]] = {}  # by dataset and digest, for this process


def log(dataset: str) -> LabelLog:
    """The label log of a dataset."""
    return LabelLog(paths.dataset_folder(dataset) / "labels.jsonl")


def take_snapshot(dataset: str, settings: Settings) -> str:
    """Read the current labels and return their digest, or SEED.

    The labels stay in memory until a run saves them (`save_snapshot`), because a plan must not write files.
    """
    labels = log(dataset).effective()
    if not labels:
        return SEED if settings["download"].sources == ("demo",) else EMPTY
    key = snapshot_digest(labels)
    _labels_by_digest[dataset, key] = labels
    return key


def save_snapshot(dataset: str, labels: str) -> None:
    """Save the labels that `take_snapshot` read, so that later edits belong to the next run."""
    if (labels_taken := _labels_by_digest.get((dataset, labels))) is not None:
        write_snapshot(labels_taken, paths.dataset_folder(dataset))


def digest_of(dataset: str, labels: str) -> str:
    """The digest that `labels` (a digest or SEED) stands for."""
    return snapshot_digest(log(dataset).effective()) if labels == SEED else labels


def path(dataset: str, labels: str) -> Path:
    """The file with those labels; written now for SEED and EMPTY."""
    folder = paths.dataset_folder(dataset)
    if labels in (SEED, EMPTY):
        return write_snapshot(log(dataset).effective() if labels == SEED else {}, folder)
    return folder / "labels" / f"{labels}.jsonl"


def count(dataset: str, labels: str) -> int:
    """How many labels there are."""
    if labels in (SEED, EMPTY):
        return len(log(dataset).effective()) if labels == SEED else 0
    labels_taken = _labels_by_digest.get((dataset, labels))
    return len(read_snapshot(path(dataset, labels)) if labels_taken is None else labels_taken)
