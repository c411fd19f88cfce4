"""The statistics log stats.jsonl: one flat JSON row per epoch, on disk before the checkpoint that follows it."""

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import DamagedState
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import dump_row, parse_row

Row = dict[str, Any]
STATS = "stats.jsonl"
MAX_FILE_BYTES, MAX_LINE_BYTES = 1 << 28, 1 << 16  # a line has a few hundred
MAX_EPOCH = 10**12
REQUIRED = {"epoch", "step", "images_seen", "d_loss", "g_loss", "images_per_second", "seconds"}
REQUIRED_WITH_KID = {"kid_error", "extractor"}  # in rows with a KID
TEXTS, LISTS_OF_TEXTS = ("note", "extractor"), ("alarms", "recovered")
LAST = "last"  # in the row of an epoch that was scored only because the training ended there; the scores follow it


AnyRow = TypeVar("AnyRow", bound=Mapping[str, Any])


def comparable(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """`rows` without those whose scores are of another extractor than the last scores: they cannot be compared."""
    last = next((row["extractor"] for row in reversed(rows) if "extractor" in row), None)
    return [row for row in rows if row.get("extractor", last) == last]


def current_scores(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The rows with a KID, since the last of them has its extractor: the scores that can be compared."""
    scored = [row for row in rows if row.get("kid") is not None]
    same = itertools.takewhile(lambda row: row.get("extractor") == scored[-1].get("extractor"), reversed(scored))
    return [*same][::-1]


def best_row(rows: Sequence[AnyRow]) -> AnyRow | None:
    """The row with the lowest KID, the first of equals: the epoch that best.npz, plots, texts and cards name.

    Rows of a growing GAN count from full size on, as the score of small pictures says nothing about it. None if there
    are none.
    """
    return min(full_size(current_scores(rows)), key=lambda row: row["kid"], default=None)


def full_size(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """`rows` without those of epochs in which a GAN still grew."""
    return [row for row in rows if not row.get("growing")]


def best_in_words(best: Mapping[str, Any]) -> str:
    """The KID and the epoch of the `best_row`, in the same words everywhere: "0.0480 ± 0.0040 at epoch 60"."""
    error = "" if best.get("kid_error") is None else f" ± {best['kid_error']:.4f}"
    return f"{best['kid']:.4f}{error} at epoch {best['epoch']}"


def chosen_epoch(epoch: int, *, last: int, best: Mapping[str, Any] | None) -> str:
    """Which epoch a generator is of, and why, in the same words everywhere: "epoch 60, the last", for example.

    `last` is the epoch at which the training ended, and `best` its `best_row`.
    """
    if best is None:
        return f"epoch {epoch}, the last"
    lowest = f"the KID by {best['extractor']} was lowest"
    if epoch != last:
        return f"epoch {epoch}, at which {lowest}"
    if best["epoch"] == last:
        return f"epoch {epoch}, the last, at which {lowest}"
    return f"epoch {epoch}, the last, as KIDs by {best['extractor']} are not precise enough to choose another"


def skipped_steps(rows: Sequence[Mapping[str, Any]]) -> int:
    """The steps of a training in which the discriminator did not learn (balance.skip_above)."""
    return sum(int(row.get("d_skipped") or 0) for row in rows)


def notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The notes in `rows`, each with its epoch."""
    return [f"epoch {row['epoch']}: {row['note']}" for row in rows if row.get("note")]


class StatsLog:
    """The rows of one training. When it resumes, rows after its checkpoint are dropped, since they come again."""

    def __init__(self, path: Path, *, epochs_done: int) -> None:
        self._path, self.rows = path, read_rows(path)
        self._keep_until(epochs_done)

    def rewind(self, epochs_done: int) -> None:
        """Drop the rows of epochs after `epochs_done`."""
        self.close()
        self._keep_until(epochs_done)

    def _keep_until(self, epochs_done: int) -> None:
        self.rows = [row for row in self.rows if row["epoch"] <= epochs_done]
        write_whole(self._path, "".join(map(dump_row, self.rows)).encode())
        self._file = self._path.open("a", encoding="utf-8")

    def forget_last(self) -> int | None:
        """Remove the scores of the last row if the epoch has them only because the training ended there.

        Returns the epoch; None if there was nothing to remove.
        """
        if not (self.rows and LAST in self.rows[-1]):
            return None
        self.rows[-1] = without_last(self.rows[-1])
        self.rewind(epoch := self.rows[-1]["epoch"])
        return int(epoch)

    def append(self, row: Row) -> None:
        """Add the row of one epoch and sync it to disk."""
        self.rows.append(row)
        self._file.write(dump_row(row))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def without_last(row: Row) -> Row:
    """`row` without the scores that the epoch has only because the training ended there."""
    return dict(itertools.takewhile(lambda item: item[0] != LAST, row.items()))


def read_rows(path: Path) -> list[Row]:
    """The rows up to the first damaged one: a killed process may leave half a line, and a damaged disk anything."""
    rows: list[Row] = []
    with contextlib.suppress(DamagedState):
        for line in _lines(path):
            row = parse_row(line, path.name)
            if not (_is_complete(row) and _is_later(row, rows[-1]["epoch"] if rows else 0)):
                break
            rows.append(row)
    return rows


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of the file `path`, up to the first that is too long or incomplete; none if the file is too large."""
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return
    with path.open("rb") as file:
        while (line := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            yield line


def _is_later(row: Row, epoch: int) -> bool:
    """Whether `row` is of an epoch after `epoch`; it need not be the next, as earlier rows may have been lost."""
    return type(row["epoch"]) is int and epoch < row["epoch"] <= MAX_EPOCH


def _is_complete(row: Row) -> bool:
    """Whether `row` has all required fields, and only valid values."""
    needed = REQUIRED | (REQUIRED_WITH_KID if row.get("kid") is not None else set())
    return all(row.get(name) is not None for name in needed) and all(map(_is_valid, row, row.values()))


def _is_valid(name: str, value: Any) -> bool:
    """Whether `value` is valid in the field `name`: a finite number, None for a missing one, or text."""
    if name in LISTS_OF_TEXTS:
        return isinstance(value, list) and all(map(_is_text, value))
    if name in TEXTS:
        return _is_text(value)
    return value is None or (type(value) in (int, float) and abs(value) <= sys.float_info.max)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()
