"""The histogram of the scores of squares, as shapes for an inline SVG and as numbers for a table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.filter.scores import BORDERLINE, KEPT, REJECTED
from pipeline.web.labelling.picture_index import IndexedSquare

BINS = 100  # bars
WIDTH, HEIGHT = 1000, 200  # of the drawing, in its own units: x is the score in thousandths
TICK_STEPS = 200  # places at which labelled squares are marked
TABLE_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Labelled squares with one score: `x` in the drawing's units, and how strongly they are drawn (0 to 1)."""

    x: float
    strength: float


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """How many squares have scores from `low` on and below `high`."""

    low: float
    high: float
    kept: int
    borderline: int
    rejected: int
    on: int  # of these, labelled on target
    off: int  # of these, labelled off target


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """The drawing and its numbers."""

    path: str  # the bars of squares without a label, as the path of an SVG of `WIDTH` x `HEIGHT`
    tallest: int  # squares in the highest bar
    unlabelled: int
    on: tuple[Tick, ...]
    off: tuple[Tick, ...]
    table: tuple[TableRow, ...]


def histogram(pictures: Iterable[IndexedSquare]) -> Histogram:
    """Draw the scores of those squares that have one."""
    scored = [(each.score, each.score.score) for each in pictures if each.score and each.score.score is not None]
    bars = Counter(_bin(value, BINS) for score, value in scored if score.label is None)
    tallest = max(bars.values(), default=0)
    groups = [
        [(score, value) for score, value in scored if _bin(value, TABLE_ROWS) == row] for row in range(TABLE_ROWS)
    ]
    return Histogram(
        path="".join(_bar(place, bars[place] / tallest) for place in sorted(bars)),
        tallest=tallest,
        unlabelled=sum(bars.values()),
        on=_ticks(value for score, value in scored if score.label == "on"),
        off=_ticks(value for score, value in scored if score.label == "off"),
        table=tuple(
            TableRow(
                low=row / TABLE_ROWS,
                high=(row + 1) / TABLE_ROWS,
                kept=sum(score.outcome == KEPT for score, _ in group),
                borderline=sum(score.outcome == BORDERLINE for score, _ in group),
                rejected=sum(score.outcome == REJECTED for score, _ in group),
                on=sum(score.label == "on" for score, _ in group),
                off=sum(score.label == "off" for score, _ in group),
            )
            for row, group in enumerate(groups)
        ),
    )


def _bin(score: float, bins: int) -> int:
    return min(max(int(score * bins + 1e-9), 0), bins - 1)


def _bar(place: int, share: float) -> str:
    width, height = WIDTH / BINS, max(share * HEIGHT, 1.5)  # one square of ten thousand can be seen
    return f"M{place * width + 0.5:g} {HEIGHT}v{-height:.1f}h{width - 1:g}v{height:.1f}z"


def _ticks(scores: Iterable[float]) -> tuple[Tick, ...]:
    found = Counter(round(score * TICK_STEPS) for score in scores)
    most = max(found.values(), default=1)
    return tuple(
        Tick(x=place * WIDTH / TICK_STEPS, strength=round(0.4 + 0.6 * found[place] / most, 2))
        for place in sorted(found)
    )
