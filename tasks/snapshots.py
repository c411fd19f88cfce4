"""The labels as they stand when a run starts: one file a state, named by its digest."""

from pathlib import Path

from pipeline.labels.log import LabelLog
from pipeline.labels.snapshot import read_snapshot, snapshot_digest, write_snapshot
from tasks import homes
from tasks.settings import Settings

SEED = "seed"  # the embedded subject before its first run: its labels are made once its pictures are there
EMPTY = snapshot_digest({})


def log(dataset: str) -> LabelLog:
    """The label log of a dataset."""
    return LabelLog(homes.dataset_folder(dataset) / "labels.jsonl")


def take(dataset: str, chosen: Settings) -> str:
    """Write down the labels there are now, if any; returns the digest that names them, or SEED."""
    labels = log(dataset).effective()
    if not labels:
        return SEED if chosen["download"].sources == ("demo",) else EMPTY
    return write_snapshot(labels, homes.dataset_folder(dataset)).stem


def digest(dataset: str, labels: str) -> str:
    """The digest that `labels` (a digest, or SEED) stands for."""
    return snapshot_digest(log(dataset).effective()) if labels == SEED else labels


def path(dataset: str, labels: str) -> Path:
    """The file that holds those labels; written now if they are the seed or none."""
    folder = homes.dataset_folder(dataset)
    if labels in (SEED, EMPTY):
        return write_snapshot(log(dataset).effective() if labels == SEED else {}, folder)
    return folder / "labels" / f"{labels}.jsonl"


def count(dataset: str, labels: str) -> int:
    """How many labels those are."""
    if labels in (SEED, EMPTY):
        return len(log(dataset).effective()) if labels == SEED else 0
    return len(read_snapshot(path(dataset, labels)))
