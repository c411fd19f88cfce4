"""Snapshots of the labels at the start of a run: one file for each state, named by its digest."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipeline.labels.log import LABEL_NAMES, CurrentLabels, LabelLog
from pipeline.labels.snapshot import MIN_LABELS, read_snapshot, read_validation, snapshot_digest, write_snapshot
from tasks import machines, paths
from tasks.settings import Settings

SEED = "seed"  # the demo before its first run: its labels are made after its squares
EMPTY = snapshot_digest({})
_labels_by_digest: dict[tuple[str, str], CurrentLabels] = {}  # by dataset and digest, for this process


def log(dataset: str) -> LabelLog:
    """The label log of a dataset."""
    return LabelLog(paths.dataset_folder(dataset) / "labels.jsonl")


def describe(dataset: str, *, zeros: bool = False) -> str:
    """How many labels of each kind there are, and how many of them are for validation; with `zeros` every kind."""
    current = log(dataset).current()
    shown = _counts(current.labels, zeros=zeros) or "none"
    return shown + (f"; of these for validation: {held}" if (held := _counts(current.for_validation())) else "")


def _counts(labels: Mapping[str, str], *, zeros: bool = False) -> str:
    found = Counter(labels.values())
    return ", ".join(f"{found[label]} {name}" for label, name in LABEL_NAMES.items() if found[label] or zeros)


def take_snapshot(dataset: str, settings: Settings) -> str:
    """Read the current labels and return their digest, or SEED.

    The labels stay in memory until a run saves them (`save_snapshot`), because a plan must not write files.
    """
    current = log(dataset).current()
    if not current.others() and settings["download"].sources == ("demo",):
        return SEED
    if not current.labels:
        return EMPTY
    key = snapshot_digest(current.labels, current.validation)
    _labels_by_digest[dataset, key] = current
    return key


def save_snapshot(dataset: str, labels: str) -> None:
    """Save the labels that `take_snapshot` read, so that later edits belong to the next run."""
    if (taken := _labels_by_digest.get((dataset, labels))) is not None:
        written = write_snapshot(taken.labels, paths.dataset_folder(dataset), taken.validation)
        machines.share_labels(dataset, labels, written.read_bytes())


def digest_of(dataset: str, labels: str) -> str:
    """The digest that `labels` (a digest or SEED) stands for."""
    if labels != SEED:
        return labels
    current = log(dataset).current()
    return snapshot_digest(current.labels, current.validation)


def path(dataset: str, labels: str) -> Path:
    """The file with those labels; written now for SEED and EMPTY."""
    folder = paths.dataset_folder(dataset)
    if labels == EMPTY:
        return write_snapshot({}, folder)
    if labels == SEED:
        current = log(dataset).current()
        return write_snapshot(current.labels, folder, current.validation)
    return folder / "labels" / f"{labels}.jsonl"


def count(dataset: str, labels: str) -> int | str:
    """How many labels there are; with a validation set, in words."""
    current = _labels(dataset, labels)
    validation = len(current.for_validation())
    return f"{len(current.others())} + {validation} for validation" if validation else len(current.labels)


def are_enough(dataset: str, labels: str) -> bool:
    """Whether there may be enough labels to train on; false if there are surely too few of a kind."""
    found = Counter(_labels(dataset, labels).others().values())
    return min(found["on"], found["off"]) >= MIN_LABELS


def _labels(dataset: str, labels: str) -> CurrentLabels:
    if labels == SEED:
        return log(dataset).current()
    if labels == EMPTY:
        return CurrentLabels(labels={}, validation=frozenset())
    if (taken := _labels_by_digest.get((dataset, labels))) is not None:
        return taken
    file = path(dataset, labels)
    return CurrentLabels(labels=read_snapshot(file), validation=read_validation(file))
