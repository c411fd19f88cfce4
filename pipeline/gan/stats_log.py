"""stats.jsonl: one flat line an epoch, on disk before the checkpoint that follows it."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import DamagedState
from pipeline.images.png import write_whole
from pipeline.store.jsonl import dump_row, parse_row

Row = dict[str, Any]
STATS = "stats.jsonl"
MOST, LONGEST = 1 << 28, 1 << 16  # bytes of the file and of a line; a line has some hundreds
LAST_EPOCH = 10**12
ALWAYS = {"epoch", "step", "images_seen", "d_loss", "g_loss", "images_per_second", "seconds"}
OF_KID = {"kid_error", "extractor"}  # what a KID does not come without
TEXTS = ("note", "extractor")


AnyRow = TypeVar("AnyRow", bound=Mapping[str, Any])


def comparable(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """`rows` without those whose scores are by another extractor than the last ones are: they say something else."""
    last = next((row["extractor"] for row in reversed(rows) if "extractor" in row), None)
    return [row for row in rows if row.get("extractor", last) == last]


class StatsLog:
    """The lines of one training. Opened after a stop, it drops what lies beyond the checkpoint: it comes again."""

    def __init__(self, path: Path, *, epochs_done: int) -> None:
        self._path, self.rows = path, _whole_rows(path)
        self._keep_until(epochs_done)

    def rewind(self, epochs_done: int) -> None:
        """Drop the lines of epochs beyond `epochs_done`."""
        self.close()
        self._keep_until(epochs_done)

    def _keep_until(self, epochs_done: int) -> None:
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
        self._file.close()


def _whole_rows(path: Path) -> list[Row]:
    """The rows up to the first damaged one: a killed process may have left half a line, and a disk anything."""
    rows: list[Row] = []
    with contextlib.suppress(DamagedState):
        for line in _lines(path):
            row = parse_row(line, path.name)
            if not (_is_whole(row) and _follows(row, rows[-1]["epoch"] if rows else 0)):
                break
            rows.append(row)
    return rows


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of the file `path`, up to one that no training writes, and none of a file that none writes."""
    if not path.is_file() or path.stat().st_size > MOST:
        return
    with path.open("rb") as file:
        while (line := file.readline(LONGEST)).endswith(b"\n"):
            yield line


def _follows(row: Row, epoch: int) -> bool:
    """Whether `row` is of an epoch after `epoch`; not always the next, as earlier lines may have been lost."""
    return type(row["epoch"]) is int and epoch < row["epoch"] <= LAST_EPOCH


def _is_whole(row: Row) -> bool:
    """Whether `row` says all that every line says, and nothing that none can."""
    needed = ALWAYS | (OF_KID if row.get("kid") is not None else set())
    return all(row.get(name) is not None for name in needed) and all(map(_is_told, row, row.values()))


def _is_told(name: str, value: Any) -> bool:
    """Whether `value` can stand in a line under `name`: a number, None for one that was not to be had, or text."""
    if name == "alarms":
        return isinstance(value, list) and all(map(_is_text, value))
    if name in TEXTS:
        return _is_text(value)
    return value is None or (type(value) in (int, float) and abs(value) <= sys.float_info.max)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()
