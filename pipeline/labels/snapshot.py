"""A snapshot of the labels for a run, in a file named by the digest of its content."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState
from pipeline.labels.log import VALIDATION, label_problem
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import dump_row, read_rows

MIN_LABELS = 8  # of each kind, to train a classifier: with fewer nothing can be measured
EXTRA_LABELS = 40  # to give next: two minutes of labelling
ENOUGH_TO_BEGIN = {"on": 30, "off": 50}  # labels of each kind with which a filter is worth its training
REMEDY = "delete that file; the next run writes it again from the label log"


def snapshot_digest(labels: Mapping[str, str], validation: Collection[str] = ()) -> str:
    """The SHA-256 in hex of `labels` (picture id to value), independent of their order.

    Those of `validation` that have a label are part of it; without any it is the digest of the labels alone.
    """
    held = sorted(labels.keys() & set(validation))
    return digest.of_value({"labels": dict(labels), VALIDATION: held} if held else dict(labels))


def write_snapshot(labels: Mapping[str, str], dataset: Path, validation: Collection[str] = ()) -> Path:
    """Write `labels` to `labels/<digest>.jsonl` in the folder `dataset`, ordered by id; returns the path.

    The labels of the pictures in `validation` are marked. The write is atomic, and two processes may write the same
    file.
    """
    path = dataset / "labels" / f"{snapshot_digest(labels, validation)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    held = set(validation)
    rows = (
        dump_row({"id": id, "label": labels[id]} | ({"set": VALIDATION} if id in held else {})) for id in sorted(labels)
    )
    write_whole(path, "".join(rows).encode(), unique=True)
    return path


def read_snapshot(path: Path) -> dict[str, str]:
    """All labels of a snapshot, picture id to 'on', 'off' or 'unsure', with those of the validation set.

    Raises:
        DamagedState: the file is missing or its content does not match its name.
    """
    return {row["id"]: row["label"] for row in _read(path)}


def read_validation(path: Path) -> frozenset[str]:
    """The ids of the pictures of a snapshot that are labelled for validation. Raises as `read_snapshot`."""
    return frozenset(row["id"] for row in _read(path) if row.get("set") == VALIDATION)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        rows = list(read_rows(path))
    except FileNotFoundError:
        raise DamagedState(f"{path} is missing; the next run writes it again from the label log") from None
    except DamagedState as error:
        raise DamagedState(f"{error}; {REMEDY}") from None
    rows = [] if any(map(label_problem, rows)) else rows
    labels = {row["id"]: row["label"] for row in rows}
    if snapshot_digest(labels, [row["id"] for row in rows if row.get("set")]) != path.stem:
        raise DamagedState(f"{path}: its labels do not match the digest in its name; {REMEDY}")
    return rows
