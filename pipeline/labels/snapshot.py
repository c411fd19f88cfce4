"""A snapshot of the labels for a run, in a file named by the digest of its content."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.labels.log import label_problem
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import dump_row, read_rows

REMEDY = "delete that file; the next run writes it again from the label log"


def snapshot_digest(labels: Mapping[str, str]) -> str:
    """The SHA-256 in hex of `labels` (picture id to value), independent of their order."""
    return digest.of_value(dict(labels))


def write_snapshot(labels: Mapping[str, str], dataset: Path) -> Path:
    """Write `labels` to `labels/<digest>.jsonl` in the folder `dataset`, ordered by id; returns the path.

    The write is atomic, and two processes may write the same file.
    """
    path = dataset / "labels" / f"{snapshot_digest(labels)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (dump_row({"id": id, "label": labels[id]}) for id in sorted(labels))
    write_whole(path, "".join(rows).encode(), unique=True)
    return path


def read_snapshot(path: Path) -> dict[str, str]:
    """The labels of a snapshot, picture id to 'on', 'off' or 'unsure'.

    Raises:
        DamagedState: the file is missing or its content does not match its name.
    """
    try:
        rows = list(read_rows(path))
    except FileNotFoundError:
        raise DamagedState(f"{path} is missing; the next run writes it again from the label log") from None
    except DamagedState as error:
        raise DamagedState(f"{error}; {REMEDY}") from None
    labels = {} if any(map(label_problem, rows)) else {row["id"]: row["label"] for row in rows}
    if snapshot_digest(labels) != path.stem:
        raise DamagedState(f"{path}: its labels do not match the digest in its name; {REMEDY}")
    return labels
