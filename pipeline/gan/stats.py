"""stats.jsonl: one flat line an epoch, on disk before the checkpoint that follows it."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState
from pipeline.images.png import write_whole
from pipeline.store.jsonl import dump_row, read_rows

Row = dict[str, Any]
STATS = "stats.jsonl"


def comparable(rows: Sequence[Row]) -> list[Row]:
    """`rows` without those whose scores are by another extractor than the last ones are: they say something else."""
    last = next((row["extractor"] for row in reversed(rows) if "extractor" in row), None)
    return [row for row in rows if row.get("extractor", last) == last]


class StatsLog:
    """The lines of one training. Opened after a stop, it drops what lies beyond the checkpoint: it comes again."""

    def __init__(self, path: Path, *, epochs_done: int) -> None:
        self._path, self._file, self.rows = path, None, _whole_rows(path)
        self.rewind(epochs_done)

    def rewind(self, epochs_done: int) -> None:
        """Drop the lines of epochs beyond `epochs_done`."""
        self.close()
        self.rows = [row for row in self.rows if row["epoch"] <= epochs_done]
        write_whole(self._path, "".join(map(dump_row, self.rows)).encode())
        self._file = self._path.open("a", encoding="utf-8")

    def append(self, row: Row) -> None:
        """Add one epoch's line and see it onto the disk."""
        self.rows.append(row)
        self._file.write(dump_row(row))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _whole_rows(path: Path) -> list[Row]:
    """The rows up to the first damaged one: a killed process may have left half a line, and a disk anything."""
    rows: list[Row] = []
    with contextlib.suppress(FileNotFoundError, DamagedState):
        for row in read_rows(path):
            if not _follows(row, rows[-1]["epoch"] if rows else 0):
                break
            rows.append(row)
    return rows


def _follows(row: Row, epoch: int) -> bool:
    """Whether `row` is of an epoch after `epoch`; not always the next, as earlier lines may have been lost."""
    return isinstance(row.get("epoch"), int) and row["epoch"] > epoch
