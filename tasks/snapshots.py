"""The labels as they stand when a run starts: one file a state, named by its digest."""

from pathlib import Path

from pipeline.labels.log import LabelLog
from pipeline.labels.snapshot import read_snapshot, write_snapshot
from tasks import homes
from tasks.settings import Settings

SEED = "seed"  # the embedded subject before its first run: its labels are made once its pictures are there


def log(dataset: str) -> LabelLog:
    """The label log of a dataset."""
    return LabelLog(homes.dataset_folder(dataset) / "labels.jsonl")


def take(dataset: str, chosen: Settings) -> str:
    """Write down the labels there are now; returns the digest that names them, or SEED before there are any."""
    labels = log(dataset).effective()
    if not labels and chosen["download"].sources == ("demo",):
        return SEED
    return _write(dataset)


def digest(dataset: str, labels: str) -> str:
    """The digest that `labels` (a digest, or SEED) stands for."""
    return _write(dataset) if labels == SEED else labels


def path(dataset: str, labels: str) -> Path:
    """The file that holds those labels."""
    return homes.dataset_folder(dataset) / "labels" / f"{digest(dataset, labels)}.jsonl"


def count(dataset: str, labels: str) -> int:
    """How many labels it holds."""
    return len(read_snapshot(path(dataset, labels)))


def _write(dataset: str) -> str:
    return write_snapshot(log(dataset).effective(), homes.dataset_folder(dataset)).stem
