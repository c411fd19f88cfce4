"""A training on the overview page: its epoch, newest sheet, losses, scores and alarms, also while it runs.

The statistics are read again when the file changes, but never for more than a small part of the time: a long training
has a long file.
"""

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.gan.evaluation.diagnostics import alarms
from pipeline.gan.stats_log import STATS, Row, best_in_words, best_row, read_rows
from pipeline.report.training_files import newest_sheet, sheet_epoch
from pipeline.report.trainings import Training, Trainings
from pipeline.store.artifacts import SHORT
from pipeline.web.chain.chain_state import AlarmShown, ScoreShown, TrainingShown

LARGEST = 1 << 25  # bytes of statistics that are read: some 80,000 epochs
LEAST_WAIT, SHARE = 1.0, 20.0  # seconds between two readings, and at least so many times as long as one takes
MOST_SCORES = 500  # the newest ones


@dataclass(frozen=True, kw_only=True)
class _Statistics:
    """What was read of one file of statistics."""

    path: Path
    stamp: tuple[int, int]
    last: Row
    losses: list[tuple[int, float, float]]  # epoch, of the discriminator, of the generator
    scores: list[ScoreShown]
    lowest: str
    alarms: list[AlarmShown]
    again_at: float  # by the monotonic clock


class LiveTraining:
    """The trainings of one dataset, of which one is shown."""

    def __init__(self, generated: Path) -> None:
        self._trainings = Trainings(generated)
        self._lock = threading.Lock()
        self._read: _Statistics | None = None

    def show(self, key: str, sheet_address: str) -> TrainingShown | None:
        """The training `key`, or with an empty key the newest; None if there is none.

        `sheet_address` is the address of a sheet, with {key} and {epoch} for the first digits of the key and the epoch.
        """
        known = self._trainings.all()
        training = next((each for each in reversed(known) if each.key == key or not key), None)
        if training is None:
            return None
        folder = self._trainings.sheets(training)
        sheet, read = newest_sheet(folder), self._statistics(folder / STATS)
        epoch = sheet_epoch(sheet) if sheet else 0
        return TrainingShown(
            key=training.key,
            name=training.name,
            epoch=max(epoch, _whole(read.last.get("epoch")) if read else 0),
            epochs=training.epochs,
            sheet=sheet_address.format(key=training.key[:SHORT], epoch=epoch) if sheet else "",
            sheet_epoch=epoch,
            **(_of_statistics(read) if read else {}),
        )

    def losses(self, key: str) -> list[tuple[int, float, float]]:
        """Epoch, loss of the discriminator and of the generator, of each epoch of the training that was shown."""
        with self._lock:
            read = self._read
        return read.losses if read and read.path.parent.name == key[:SHORT] else []

    def sheets(self, training: Training) -> Path:
        """The folder of sample sheets of `training`."""
        return self._trainings.sheets(training)

    def all(self) -> list[Training]:
        """The trainings, oldest first."""
        return self._trainings.all()

    def _statistics(self, path: Path) -> _Statistics | None:
        try:
            found = path.stat()
        except OSError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        with self._lock:
            same = self._read if self._read and self._read.path == path else None
        if same and (same.stamp == stamp or time.monotonic() < same.again_at):
            return same
        if found.st_size > LARGEST:
            return same
        read = _read_statistics(path, stamp)
        with self._lock:
            self._read = read or self._read
        return read


def _read_statistics(path: Path, stamp: tuple[int, int]) -> _Statistics | None:
    began = time.monotonic()
    rows = read_rows(path)
    if not rows:
        return None
    best = best_row(rows)
    found = _Statistics(
        path=path,
        stamp=stamp,
        last=rows[-1],
        losses=[(row["epoch"], float(row["d_loss"]), float(row["g_loss"])) for row in rows],
        scores=[_score(row) for row in rows if row.get("kid") is not None][-MOST_SCORES:],
        lowest=f"{best_in_words(best)}, by {best['extractor']}" if best else "",
        alarms=[AlarmShown(kind=a.kind, start=a.start, end=a.end, text=a.text) for a in alarms(rows)],
        again_at=0.0,
    )
    took = time.monotonic() - began
    return _Statistics(**{**vars(found), "again_at": time.monotonic() + max(LEAST_WAIT, SHARE * took)})


def _of_statistics(read: _Statistics) -> dict[str, Any]:
    last = read.last
    return {
        "step": _whole(last.get("step")),
        "d_loss": _finite(last.get("d_loss")),
        "g_loss": _finite(last.get("g_loss")),
        "images_per_second": _finite(last.get("images_per_second")),
        "scores": read.scores,
        "lowest": read.lowest,
        "alarms": read.alarms,
    }


def _score(row: Row) -> ScoreShown:
    error = row.get("kid_error")
    return ScoreShown(epoch=row["epoch"], kid=row["kid"], kid_error=error, extractor=str(row["extractor"]))


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0
