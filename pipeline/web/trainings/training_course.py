"""The course of a training by its statistics: rows for curves, the best score, alarms; in bounded memory."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.gan.evaluation.diagnostics import Alarm, alarms
from pipeline.gan.plots import PLOTS
from pipeline.gan.stats_log import Row, best_row, notes, read_rows

LARGEST = 32 << 20  # bytes of statistics that are read: some 50,000 epochs
MOST_POINTS = 500  # rows of a curve; more are not seen on a screen
CURVES = tuple(name for plot in PLOTS.values() for name in plot.fields)  # fields that are drawn


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What the statistics of one training say."""

    rows: tuple[Row, ...] = ()  # at most MOST_POINTS of them, in order
    epochs: np.ndarray  # (N,) int64, of all rows
    images_seen: np.ndarray  # (N,) float64
    best: Row | None = None
    last: Row | None = None
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""  # why there are no rows

    def seen_at(self, epoch: int) -> int | None:
        """How many images the training had seen at the end of `epoch`; None if no row says so."""
        if epoch == 0:
            return 0
        at = int(np.searchsorted(self.epochs, epoch))
        return int(self.images_seen[at]) if at < len(self.epochs) and self.epochs[at] == epoch else None


def read_course(paths: Iterable[Path]) -> Course:
    """The course by the first of `paths` that exists; one without rows if none does."""
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            continue
        if stat.st_size > LARGEST:
            return _course([], problem=f"the statistics have {stat.st_size >> 20} MiB: too much for a page")
        return _read(path, stat.st_mtime_ns, stat.st_size)
    return _course([], problem="there are no statistics")


@lru_cache(maxsize=32)  # some hundred kB each
def _read(path: Path, modified: int, size: int) -> Course:
    return _course(read_rows(path))


def _course(rows: list[Row], *, problem: str = "") -> Course:
    found = alarms(rows)
    return Course(
        rows=tuple(thinned(rows, found)),
        epochs=np.array([row["epoch"] for row in rows], np.int64),
        images_seen=np.array([row["images_seen"] for row in rows], float),
        best=best_row(rows),
        last=rows[-1] if rows else None,
        alarms=found,
        notes=tuple(notes(rows)),
        problem=problem,
    )


def thinned(rows: Sequence[Row], found: Sequence[Alarm], most: int = MOST_POINTS) -> list[Row]:
    """At most `most` of `rows`, in order: first, last, lowest, highest, and where alarms begin and end; then the scored
    ones, and then others, evenly. Some thousand alarms would be more than that; they are cut."""
    if len(rows) <= most:
        return list(rows)
    marked = {epoch for alarm in found for epoch in (alarm.start, alarm.end, alarm.told) if epoch is not None}
    chosen = {0, len(rows) - 1, *_extremes(rows)} | {at for at, row in enumerate(rows) if row["epoch"] in marked}
    chosen = set(sorted(chosen)[:most])
    for group in ([at for at, row in enumerate(rows) if row.get("kid") is not None], range(len(rows))):
        chosen.update(_evenly([at for at in group if at not in chosen], most - len(chosen)))
    return [rows[at] for at in sorted(chosen)]


def _extremes(rows: Sequence[Row]) -> Iterable[int]:
    """The places of the lowest and the highest value of each curve and of the KID."""
    for name in (*CURVES, "kid"):
        known = [(row[name], at) for at, row in enumerate(rows) if row.get(name) is not None]
        if known:
            yield from (min(known)[1], max(known)[1])


def _evenly(places: list[int], count: int) -> list[int]:
    """`count` of `places`, evenly spaced; all of them if they are fewer."""
    if len(places) <= count:
        return places
    step = len(places) / max(count, 1)
    return [places[math.floor(number * step)] for number in range(count)]
