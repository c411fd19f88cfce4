"""A training on the overview page, also while it runs: its epoch, newest sheet, losses, scores and alarms.

It is read again and again, but never for more than a small part of the time: a long training has a long file.
"""

import math
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.errors import DamagedState
from pipeline.gan.stats_log import STATS, Row, best_in_words
from pipeline.report.training_files import TAIL
from pipeline.store.artifacts import SHORT
from pipeline.store.jsonl import parse_row
from pipeline.web.chain.chain_state import AlarmShown, ScoreShown, TrainingShown
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.trainings.trainings_view import DELETED, FoundTraining, TrainingsView

LEAST_WAIT, SHARE = 0.5, 15.0  # seconds between two readings, and at least so many times as long as one takes
MOST_SCORES = 500  # the newest ones


class LiveTraining:
    """The trainings of one dataset, of which one is shown."""

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths
        self._lock = threading.Lock()
        self._key = ""
        self._shown: TrainingShown | None = None
        self._again_at = 0.0  # by the monotonic clock

    def show(self, key: str) -> TrainingShown | None:
        """The training `key`, or with an empty key the newest; None if there is none."""
        with self._lock:
            if key == self._key and time.monotonic() < self._again_at:
                return self._shown
        began = time.monotonic()
        found = self.find(key)
        shown = (
            _shown(found, TrainingsView(self.paths).api, self.paths.gan.work_path(found.training.key))
            if found
            else None
        )
        with self._lock:
            self._key, self._shown = key, shown
            self._again_at = time.monotonic() + max(LEAST_WAIT, SHARE * (time.monotonic() - began))
        return shown

    def find(self, key: str) -> FoundTraining | None:
        """The files of the training `key`, or with an empty key of the newest; None if there is none."""
        view = TrainingsView(self.paths)
        if not key:
            return next((each for each in view.all() if each.state != DELETED), None)
        try:
            return view.find(key[:SHORT])
        except HTTPException:  # it begins just now, or was deleted
            return None


def _shown(found: FoundTraining, api: str, work: Path) -> TrainingShown:
    """What there is of the training `found`, which works in the folder `work` until it is finished."""
    course, sheets = found.course(), found.sheets()
    last: Row = newest_row(work / STATS) or course.last or {}
    epoch, path = next(reversed(sheets.items()), (0, None))
    try:
        version = f"{path.stat().st_mtime_ns:x}" if path else ""
    except OSError:
        version = ""
    return TrainingShown(
        key=found.training.key,
        name=found.title,
        epoch=max(epoch, _whole(last.get("epoch"))),
        epochs=found.training.epochs,
        step=_whole(last.get("step")),
        d_loss=_finite(last.get("d_loss")),
        g_loss=_finite(last.get("g_loss")),
        images_per_second=_finite(last.get("images_per_second")),
        sheet=f"{api}/trainings/{found.id}/sheets/{epoch}?v={version}" if path else "",
        sheet_epoch=epoch,
        scores=[_score(row) for row in course.rows if row.get("kid") is not None][-MOST_SCORES:],
        lowest=f"{best_in_words(course.best)}, by {course.best['extractor']}" if course.best else "",
        alarms=[AlarmShown(kind=each.kind, start=each.start, end=each.end, text=each.text) for each in course.alarms],
    )


def newest_row(path: Path) -> Row | None:
    """The last whole row of statistics: sheets come now and then, but an epoch is done sooner. None without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(DamagedState):
            return parse_row(line, path.name)
    return None


def _score(row: Row) -> ScoreShown:
    error = row.get("kid_error")
    return ScoreShown(epoch=row["epoch"], kid=row["kid"], kid_error=error, extractor=str(row["extractor"]))


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0
