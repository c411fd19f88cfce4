"""The labels as they stood at one moment, in a file named by its content."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.labels.log import fault
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import dump_row, read_rows

WAY_OUT = "delete that file; the next run writes it again from the label log"


def snapshot_digest(labels: Mapping[str, str]) -> str:
    """The hex SHA-256 of `labels`, picture id to value, whatever their order."""
    return digest.of_value(dict(labels))


def write_snapshot(labels: Mapping[str, str], dataset: Path) -> Path:
    """Leave `labels` in the file `labels/<digest>.jsonl` of the folder `dataset`, sorted by id; returns its path.

    The file appears in one step, and two processes may write the same one.
    """
    path = dataset / "labels" / f"{snapshot_digest(labels)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (dump_row({"id": id, "label": labels[id]}) for id in sorted(labels))
    write_whole(path, "".join(rows).encode(), unique=True)
    return path


def read_snapshot(path: Path) -> dict[str, str]:
    """The labels of a snapshot, picture id to 'on', 'off' or 'unsure'.

    Errors: `DamagedState` if the file is missing or its content is not what its name says.
    """
    try:
        rows = list(read_rows(path))
    except FileNotFoundError:
        raise DamagedState(f"{path} is missing; the next run writes it again from the label log") from None
    except DamagedState as error:
        raise DamagedState(f"{error}; {WAY_OUT}") from None
    labels = {} if any(map(fault, rows)) else {row["id"]: row["label"] for row in rows}
    if snapshot_digest(labels) != path.stem:
        raise DamagedState(f"{path}: the labels in it are not those that its name stands for; {WAY_OUT}")
    return labels
