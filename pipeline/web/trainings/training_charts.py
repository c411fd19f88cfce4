"""The curves of trainings as charts: losses, what the discriminator judges, KID and other scores.

Titles and names are those of the plots of `pipeline.gan.plots`. Scores of different extractors never share a chart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.gan.plots import MARKED, PLOTS, SHARES, LinePlot
from pipeline.gan.stats_log import Row, best_in_words, best_row
from pipeline.web.charts import Chart, DrawnChart, Mark, Series, Span, drawn_chart
from pipeline.web.trainings.training_course import Course

SHOWN = ("losses", "accuracy", "probabilities", "gradients")
EPOCH = "epoch"
FLOOR = "one half of the reals against the other"
LONGEST_LABEL = 60  # characters of a training's name in a legend


@dataclass(frozen=True, kw_only=True)
class NamedCourse:
    """The course of a training, with what its lines are called."""

    label: str
    course: Course


def training_charts(course: Course, id: str, *, drawn: int | None = None) -> list[DrawnChart]:
    """The charts of one training, whose generator is of the epoch `drawn`; `id` tells them from others on the page."""
    rows = course.rows
    charts = [_plot(name, PLOTS[name], course, f"{id}-{name}") for name in SHOWN]
    for number, extractor in enumerate(extractors([rows])):
        scored = [row for row in rows if row.get("extractor") == extractor]
        kid = _kid_chart([NamedCourse(label="samples", course=course)], extractor, f"{id}-kid{number}")
        charts.append(replace(kid, marks=[*kid.marks, *_drawn_mark(scored, drawn)]))
        charts.append(_share_chart(scored, extractor, course, f"{id}-shares{number}"))
    return [
        drawn_chart(chart) for chart in charts if any(y is not None for line in chart.series for _, y in line.points)
    ]


def compared_charts(courses: Sequence[NamedCourse]) -> list[DrawnChart]:
    """The KID of several trainings, a chart for each extractor."""
    found = extractors([each.course.rows for each in courses])
    charts = [_kid_chart(courses, extractor, f"compared-kid{number}") for number, extractor in enumerate(found)]
    return [drawn_chart(chart) for chart in charts]


def extractors(histories: Sequence[Sequence[Row]]) -> list[str]:
    """The extractors by which KIDs were measured, in the order of their first use."""
    return list(dict.fromkeys(row["extractor"] for rows in histories for row in rows if row.get("kid") is not None))


def _plot(name: str, plot: LinePlot, course: Course, id: str) -> Chart:
    colours = {field: number for number, field in enumerate(plot.fields)}
    series = [
        Series(label=label or plot.title, points=_points(course.rows, field), colour=colours[field])
        for field, (label, _) in plot.fields.items()
    ]
    share = (0.0, 1.0) if plot.share else (plot.least, None)
    return Chart(
        id=id,
        title=plot.title,
        x_label=EPOCH,
        series=[line for line in series if any(y is not None for _, y in line.points)],
        spans=_spans(course, name),
        low=share[0],
        high=share[1],
        may_be_log=plot.log,
    )


def _kid_chart(courses: Sequence[NamedCourse], extractor: str, id: str) -> Chart:
    """The KID by one extractor, with its error, its floor and the lowest."""
    series, marks = [], []
    for number, each in enumerate(courses):
        rows = [row for row in each.course.rows if row.get("extractor") == extractor and row.get("kid") is not None]
        label = each.label[:LONGEST_LABEL]
        errors = [row.get("kid_error") for row in rows]
        series.append(Series(label=label, points=_points(rows, "kid"), errors=errors, colour=number))
        if best := best_row(rows):
            text = f"{label}: lowest: {best_in_words(best)}"
            marks.append(Mark(x=best["epoch"], y=best["kid"], text=text, colour=number))
        if any(row.get("kid_floor") is not None for row in rows) and len(courses) == 1:
            series.append(Series(label=FLOOR, points=_points(rows, "kid_floor"), colour=5, dashed=True))
    return Chart(
        id=id,
        title=f"KID by {extractor}: distance of samples from reals",
        x_label=EPOCH,
        series=[line for line in series if line.points],
        spans=_spans(courses[0].course, "kid") if len(courses) == 1 else (),
        marks=marks,
        may_be_log=True,
    )


def _drawn_mark(scored: Sequence[Row], drawn: int | None) -> list[Mark]:
    """The epoch that the generator is of; nothing if it has no KID."""
    row = next((row for row in scored if row["epoch"] == drawn and row.get("kid") is not None), None)
    return [Mark(x=row["epoch"], y=row["kid"], text=f"the generator is of epoch {drawn}", colour=2)] if row else []


def _share_chart(rows: Sequence[Row], extractor: str, course: Course, id: str) -> Chart:
    """The scores from 0 to 1 by one extractor."""
    lines = {name: _points([row for row in rows if row.get(name) is not None], name) for name in SHARES}
    series = [
        Series(label=name, points=points, colour=number)
        for number, (name, points) in enumerate(lines.items())
        if points
    ]
    title = f"{', '.join(line.label for line in series)} by {extractor}"
    spans = _spans(course, "shares")
    return Chart(id=id, title=title, x_label=EPOCH, series=series, spans=spans, low=0.0, high=1.0)


def _points(rows: Sequence[Row], field: str) -> list[tuple[float, float | None]]:
    return [(float(row["epoch"]), row.get(field)) for row in rows]


def _spans(course: Course, name: str) -> list[Span]:
    """The alarms that a chart is about: the KID a plateau, the other scores what else is told of scores."""
    last = float(course.last["epoch"]) if course.last else 0.0
    return [
        Span(start=alarm.start, end=last if alarm.end is None else alarm.end, text=alarm.text)
        for alarm in course.alarms
        if name in MARKED[alarm.kind]
        or ("scores" in MARKED[alarm.kind] and name == ("kid" if alarm.kind == "plateau" else "shares"))
    ]
