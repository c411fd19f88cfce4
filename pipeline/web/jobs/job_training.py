"""What the training of a job has made so far: its sheets, the newest figures, and its alarms in words."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState
from pipeline.gan.evaluation.diagnostics import alarms
from pipeline.gan.stats_log import STATS, best_row, read_rows
from pipeline.report.trainings import REGISTER, Training, Trainings
from pipeline.store.digest import is_digest
from pipeline.text import to_plain_line
from pipeline.web.dataset_paths import DatasetPaths

MAX_TEXT = 400  # characters of an alarm
LOSSES = ("d_loss", "g_loss", "d_accuracy")
SCORES = ("kid", "kid_error", "kid_floor", "precision", "recall", "density", "coverage", "diversity", "memorised")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The newest figures of a training; `best` is the epoch with the lowest KID."""

    epoch: int = 0
    losses: dict[str, float] | None = None
    scores: dict[str, float | int | str] | None = None
    best: int | None = None
    alarms: tuple[str, ...] = ()


def training_of_key(paths: DatasetPaths, key: str) -> Training | None:
    """The training with the content key `key`; None if it has not begun."""
    if not is_digest(key):
        return None
    try:
        stat = (paths.generated / REGISTER).stat()
    except OSError:
        return None
    return _register(paths.generated, stat.st_mtime_ns, stat.st_size).get(key)


@lru_cache(maxsize=64)  # a list of jobs asks for many trainings
def _register(folder: Path, changed: int, size: int) -> dict[str, Training]:
    return {training.key: training for training in Trainings(folder).all()}


def sheets_folder(paths: DatasetPaths, training: Training) -> Path:
    """The folder of the sample sheets and statistics of `training`."""
    return Trainings(paths.generated).sheets(training)


def figures(folder: Path) -> Figures:
    """The newest figures of the training whose sheets are in `folder`."""
    path = folder / STATS
    try:
        stat = path.stat()
    except OSError:
        return Figures()
    return _figures(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _figures(path: Path, changed: int, size: int) -> Figures:
    try:
        rows = read_rows(path)
    except (DamagedState, OSError):
        return Figures()
    if not rows:
        return Figures()
    scored = next((row for row in reversed(rows) if row.get("kid") is not None), None)
    best = best_row(rows)
    last = [each for each in alarms(rows) if each.end is None]
    return Figures(
        epoch=rows[-1]["epoch"],
        losses=_numbers(rows[-1], LOSSES),
        scores=_scores(scored) if scored else None,
        best=best["epoch"] if best else None,
        alarms=tuple(to_plain_line(each.text, MAX_TEXT) for each in last),
    )


def _scores(row: dict[str, Any]) -> dict[str, float | int | str]:
    extractor = to_plain_line(str(row.get("extractor", "")), MAX_TEXT)
    return {"epoch": row["epoch"], "extractor": extractor, **_numbers(row, SCORES)}


def _numbers(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    found = {name: row.get(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and math.isfinite(value)}
