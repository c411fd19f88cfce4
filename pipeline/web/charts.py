"""Line charts as inline SVG: axes with round numbers, gaps for missing values, bands for errors, marks and spans.

Colours are classes of static/charts.css, so that a chart follows the light or dark page. Scripts may move the cursor:
`data-` attributes of the SVG say where the plot is and which values its edges have.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH, HEIGHT = 380, 200  # of the view box; one unit is about a pixel on a phone
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 34  # space around the plot
X_TICKS, Y_TICKS = 6, 5  # about so many
LOG_RATIO = 10  # of the highest to the lowest value, above which the scale is logarithmic if that is allowed
FEW = 30  # points, up to which each is marked
LARGEST = 1e100  # values beyond it are treated as missing
COLOURS = 6  # how many classes c0, c1, ... there are

Point = tuple[float, float | None]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: points (x, y) in the order of x, y None where it is not known; `errors` are the ± of each y."""

    label: str
    points: Sequence[Point]
    errors: Sequence[float | None] = ()
    colour: int = 0
    dashed: bool = False  # for a value that others are compared with


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of x in which something was wrong; `text` says what."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One point that stands out."""

    x: float
    y: float
    text: str
    colour: int = 0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a chart shows. `id` is unique on the page."""

    id: str
    title: str
    x_label: str
    series: Sequence[Series]
    spans: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    low: float | None = None  # the lower end of the scale; None: the lowest value
    high: float | None = None
    may_be_log: bool = False


@dataclass(frozen=True, kw_only=True)
class DrawnChart:
    """A chart for a template: its SVG, its heading, the names of its lines with their colours, and its words."""

    name: str
    title: str
    svg: Markup
    legend: list[tuple[str, int, bool]]  # label, colour, dashed
    words: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps values to the coordinates of a side of the plot."""

    low: float
    high: float
    start: float  # the coordinate of `low`
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The coordinate of `value`, within the plot."""
        low, high = self._own(self.low), self._own(self.high)
        share = (self._own(max(value, self.low)) - low) / (high - low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """About `count` round values from low to high."""
        found = _log_ticks(self.low, self.high) if self.log else []
        return found if len(found) > 2 else _ticks(self.low, self.high, count)

    def _own(self, value: float) -> float:
        return math.log10(value) if self.log else value


def drawn_chart(chart: Chart) -> DrawnChart:
    """`chart` with what a template shows beside it."""
    legend = [(line.label, line.colour, line.dashed) for line in chart.series]
    return DrawnChart(
        name=chart.id,
        title=chart.title,
        svg=draw(chart),
        legend=legend if len(legend) > 1 else [],
        words=describe(chart),
    )


def draw(chart: Chart) -> Markup:
    """The SVG of `chart`; empty if it has no point. All texts are escaped."""
    points = [point for series in chart.series for point in _known(series.points)]
    if not points:
        return Markup("")
    x, y = _x_scale([each for each, _ in points]), _y_scale(chart)
    parts = [*_axes(chart, x, y), *_spans(chart, x), *_lines(chart, x, y), *_marks(chart, x, y)]
    cursor = f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="0" x2="0" visibility="hidden"/>'
    head = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{escape(chart.id)}-title'
        f' {escape(chart.id)}-desc" data-left="{LEFT}" data-right="{WIDTH - RIGHT}" data-low="{x.low:g}"'
        f' data-high="{x.high:g}"><title id="{escape(chart.id)}-title">{escape(chart.title)}</title>'
        f'<desc id="{escape(chart.id)}-desc">{escape(describe(chart))}</desc>'
    )
    return Markup(head + "".join(parts) + cursor + "</svg>")  # every text in it was escaped above


def describe(chart: Chart) -> str:
    """What the chart shows, in words: each line's first, lowest, highest and last value."""
    return " ".join(text for series in chart.series if (text := summary(series)))


def summary(series: Series) -> str:
    """The first, lowest, highest and last value of a line, in words; empty if it has none."""
    known = _known(series.points)
    if not known:
        return ""
    values = [value for _, value in known]
    if len(known) == 1:
        return f"{series.label}: {plain(values[0])}."
    ends = f"{plain(values[0])} at {plain(known[0][0])}, {plain(values[-1])} at {plain(known[-1][0])}"
    return f"{series.label}: {ends}; lowest {plain(min(values))}, highest {plain(max(values))}."


def plain(value: float) -> str:
    """A number with some three digits, as people write it: 16.5, 0.048, 36,000."""
    if value and (abs(value) >= 1e7 or abs(value) < 1e-4):
        return f"{value:.2g}"
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _known(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if y is not None and abs(y) < LARGEST]


def _x_scale(values: list[float]) -> Scale:
    low, high = min(values), max(values)
    return Scale(low=low, high=high if high > low else low + 1, start=LEFT, end=WIDTH - RIGHT)


def _y_scale(chart: Chart) -> Scale:
    values = [*_reach(chart), *(mark.y for mark in chart.marks if abs(mark.y) < LARGEST)]
    low = min(values) if chart.low is None else chart.low
    high = max(values) if chart.high is None else max(chart.high, *values)
    own = [y for series in chart.series if not series.dashed for _, y in _known(series.points)]
    log = chart.may_be_log and bool(own) and min(own) > 0 and max(own) > LOG_RATIO * min(own)
    low = min(value for value in values if value > 0) if log else low
    if high <= low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    room = 0.0 if log else (high - low) * 0.04
    low = low - room if chart.low is None else low
    high = high + room if chart.high is None else high
    return Scale(low=low, high=high, start=HEIGHT - BOTTOM, end=TOP, log=log)


def _reach(chart: Chart) -> Iterator[float]:
    """All values of the lines, with the ends of their errors."""
    for series in chart.series:
        for (_, y), error in itertools.zip_longest(series.points, series.errors):
            if y is not None and abs(y) < LARGEST:
                yield y
                if error is not None and error < LARGEST:
                    yield from (y - error, y + error)


def _ticks(low: float, high: float, count: int, *, least: float = 0.0) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, which is at least `least`."""
    raw = max((high - low) / count, least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.75)
    first = math.ceil(low / step - 1e-9)
    found = [(first + number) * step for number in range(2 * count + 3)]
    return [each for each in found if each <= high + step * 1e-9]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]


def _axes(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in y.ticks(Y_TICKS):
        at = y.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{plain(value)}</text>'
    for value in _ticks(x.low, x.high, X_TICKS, least=1.0):  # epochs are whole numbers
        yield f'<text class="tick" x="{x.at(value):.1f}" y="{bottom + 14}" text-anchor="middle">{plain(value)}</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    middle, label = (LEFT + right) / 2, escape(chart.x_label)
    yield f'<text class="tick" x="{middle:.0f}" y="{HEIGHT - 3}" text-anchor="middle">{label}</text>'


def _spans(chart: Chart, x: Scale) -> Iterator[str]:
    for span in chart.spans:
        start, end = x.at(span.start), x.at(span.end)
        yield (
            f'<rect class="span" x="{start:.1f}" y="{TOP}" width="{max(end - start, 2):.1f}"'
            f' height="{HEIGHT - TOP - BOTTOM}"><title>{escape(span.text)}</title></rect>'
        )


def _lines(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    for series in chart.series:
        kind = f"c{series.colour % COLOURS}" + (" dashed" if series.dashed else "")
        yield from _band(series, kind, x, y)
        for part in _unbroken(series.points):
            path = " ".join(f"{x.at(at):.1f},{y.at(value):.1f}" for at, value in part)
            yield f'<polyline class="line {kind}" points="{path}"/>'
        known = _known(series.points)
        if len(known) <= FEW and not series.dashed:
            yield from (_dot("dot", kind, x.at(at), y.at(value), 2.5) for at, value in known)


def _band(series: Series, kind: str, x: Scale, y: Scale) -> Iterator[str]:
    """The area of ± the errors, where they are known."""
    known = [
        (at, value, error)
        for (at, value), error in zip(series.points, series.errors, strict=False)
        if value is not None and error is not None and abs(value) < LARGEST and error < LARGEST
    ]
    if known:
        upper = [f"{x.at(at):.1f},{y.at(value + error):.1f}" for at, value, error in known]
        lower = [f"{x.at(at):.1f},{y.at(value - error):.1f}" for at, value, error in reversed(known)]
        yield f'<polygon class="band {kind}" points="{" ".join([*upper, *lower])}"/>'


def _unbroken(points: Sequence[Point]) -> Iterator[list[tuple[float, float]]]:
    """The parts of a line between missing values; a single point has no line."""
    for known, part in itertools.groupby(points, lambda point: point[1] is not None and abs(point[1]) < LARGEST):
        found = [(x, y) for x, y in part if y is not None]
        if known and len(found) > 1:
            yield found


def _marks(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    for mark in chart.marks:
        if abs(mark.y) < LARGEST:
            yield _dot("mark", f"c{mark.colour % COLOURS}", x.at(mark.x), y.at(mark.y), 5, mark.text)


def _dot(name: str, kind: str, x: float, y: float, radius: float, text: str = "") -> str:
    title = f"<title>{escape(text)}</title>" if text else ""
    return f'<circle class="{name} {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{title}</circle>'
