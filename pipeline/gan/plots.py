"""Plots of a training from the rows of stats.jsonl: one PNG file for each kind of value."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.gan.evaluation.diagnostics import BALANCE, COLLAPSE, MEMORISING, PLATEAU, Alarm, alarms
from pipeline.gan.stats_log import Row, best_in_words, best_row, comparable
from pipeline.images.chart import ACCENT, LINE, OFF, ON, finished, new_axes, new_panels, save

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Row]
FEW_POINTS = 20  # up to this number points are marked, as a line of one point is invisible
MANY_POINTS = 60  # from this number on a smoothed line is drawn over a faint one
SMOOTHING_PARTS = (
    25  # of the training; each point of the smoothed line is a mean over the one before and the one after it
)
LOG_SCALE_RATIO = 10  # of the largest to the smallest KID, above which the scale is logarithmic


@dataclass(frozen=True, kw_only=True)
class LinePlot:
    """A plot of one or several values over the epochs."""

    title: str
    fields: Mapping[str, tuple[str, str]]  # field in the rows -> label and colour
    share: bool = False  # from 0 to 1, with a line at 0.5, that of chance
    log: bool = False
    least: float | None = None  # the lower end of the scale; None: the smallest value
    rare: bool = False  # drawn only if a value is above 0


PLOTS = {
    "losses": LinePlot(title="loss", fields={"d_loss": ("discriminator", LINE), "g_loss": ("generator", OFF)}),
    "accuracy": LinePlot(title="accuracy of the discriminator", fields={"d_accuracy": ("", LINE)}, share=True),
    "probabilities": LinePlot(
        title="probability of being real, by the discriminator",
        fields={"d_real": ("reals", ON), "d_fake": ("fakes", OFF)},
        share=True,
    ),
    "gradients": LinePlot(
        title="norm of the gradient",
        fields={"d_gradient": ("discriminator", LINE), "g_gradient": ("generator", OFF)},
        log=True,
    ),
    "skipped": LinePlot(
        title="steps in which the discriminator did not learn", fields={"d_skipped": ("", LINE)}, least=0, rare=True
    ),
    "speed": LinePlot(title="pictures a second", fields={"images_per_second": ("", LINE)}, least=0),
}
MARKED = {  # the plots in which the epochs of an alarm are shaded
    COLLAPSE: ("scores",),
    BALANCE: ("accuracy", "probabilities", "gradients"),
    MEMORISING: ("scores",),
    PLATEAU: ("scores",),
}
SHARES = {
    "precision": ON,
    "recall": LINE,
    "density": "#8c6d1f",
    "coverage": "#7a5195",
    "diversity": ACCENT,
    "memorised": OFF,
}


def draw_plots(rows: Rows, folder: Path, *, prefix: str = "") -> list[str]:
    """Write losses.png, accuracy.png, probabilities.png, gradients.png, skipped.png, speed.png and scores.png.

    `rows` have an `epoch` and any of the values; a value that is missing, None or not finite has no point, and a plot
    without points, or without skipped steps, is not written. Each file in `folder` is written atomically. Returns the
    names of the files; each begins with `prefix`.
    """
    drawn = {f"{prefix}{name}.png": axes for name, axes in _draw(rows).items()}
    for name, axes in drawn.items():
        save(axes, folder / name)
    return [*drawn]


def figures(rows: Rows) -> dict[str, Figure]:
    """The same plots as Matplotlib's figures, by name without a suffix, for a notebook."""
    return {name: finished(axes) for name, axes in _draw(rows).items()}


def _draw(rows: Rows) -> dict[str, Axes]:
    """Each plot that has points, by name."""
    drawn = {name: _draw_lines(plot, rows) for name, plot in PLOTS.items()} | {"scores": _draw_scores(rows)}
    found = {name: axes for name, axes in drawn.items() if axes}
    for alarm in alarms(rows):
        for name in MARKED[alarm.kind]:
            if name in found:
                _mark_span(found[name], alarm, last=rows[-1]["epoch"])
    return found


def _mark_span(axes: Axes, alarm: Alarm, *, last: int) -> None:
    """Shade the epochs of `alarm` in the plot of `axes`; with several panels, in the panel of the values it is about.

    Half an epoch is added before its first epoch and after its `last`, so that one epoch can be seen.
    """
    figure = axes.get_figure(root=True)
    panel = figure.axes[-1] if figure and alarm.kind != PLATEAU else axes
    end, colour = (last + 1, OFF) if alarm.end is None else (alarm.end, ACCENT)
    words = f"from epoch {alarm.start}" if alarm.end is None else f"epochs {alarm.start} to {alarm.end - 1}, recovered"
    panel.axvspan(
        alarm.start - 0.5, end - 0.5, color=colour, alpha=0.15, linewidth=0, label=f"{alarm.problem}, {words}"
    )


class Curve(NamedTuple):
    """The known values of one field: epochs and values, both (N,) float64."""

    epochs: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows: Rows, name: str) -> Curve:
        return cls(*np.array([(row["epoch"], row[name]) for row in _rows_with(rows, name)], float).reshape(-1, 2).T)

    def smoothed(self) -> np.ndarray:
        """Weighted means over a window around each point, cut off at the ends: (N,)."""
        window = np.hanning(2 * (len(self.values) // SMOOTHING_PARTS) + 3)[1:-1]
        return np.convolve(self.values, window, "same") / np.convolve(np.ones_like(self.values), window, "same")


def _rows_with(rows: Rows, *names: str) -> Rows:
    """The rows in which all these fields are finite numbers."""
    return [row for row in rows if all(row.get(name) is not None and math.isfinite(row[name]) for name in names)]


def _draw_lines(plot: LinePlot, rows: Rows) -> Axes | None:
    curves = {name: curve for name in plot.fields if len((curve := Curve.of(rows, name)).epochs)}
    if not curves or (plot.rare and not any((curve.values > 0).any() for curve in curves.values())):
        return None
    axes = new_axes(plot.title, "epoch")
    for name, curve in curves.items():
        label, colour = plot.fields[name]
        _draw_curve(axes, curve, colour, label)
    if plot.log and all((curve.values > 0).all() for curve in curves.values()):
        axes.set_yscale("log")
    if plot.share:
        _to_share(axes)
        axes.axhline(0.5, color="grey", linewidth=0.6)
    if plot.least is not None:
        axes.set_ylim(bottom=plot.least)
    return axes


def _draw_curve(axes: Axes, curve: Curve, colour: str, label: str) -> None:
    """Draw a line, with marked points if there are few, and smoothed over a faint line if there are many."""
    many = len(curve.epochs) >= MANY_POINTS
    if many:
        axes.plot(*curve, color=colour, alpha=0.25, linewidth=0.8)
    mark = "o-" if len(curve.epochs) <= FEW_POINTS else "-"
    axes.plot(curve.epochs, curve.smoothed() if many else curve.values, mark, color=colour, label=label, markersize=4)


def _draw_scores(rows: Rows) -> Axes | None:
    """The KID with its error and its floor, and below it the scores from 0 to 1."""
    rows = comparable(rows)
    distance, shares = Curve.of(rows, "kid"), {name: Curve.of(rows, name) for name in SHARES}
    shares = {name: curve for name, curve in shares.items() if len(curve.epochs)}
    by = next((f" by {row['extractor']}" for row in reversed(rows) if row.get("extractor")), "")
    titles = [f"KID{by}: distance of samples from reals"] * bool(len(distance.epochs))
    titles += [", ".join(shares) + by] * bool(shares)
    if not titles:
        return None
    panels = new_panels(titles, "epoch")
    if len(distance.epochs):
        _draw_kid(panels[0], _rows_with(rows, "kid"))
    for name, curve in shares.items():
        _draw_curve(panels[-1], curve, SHARES[name], name)
    if shares:
        panels[-1].set_ylim(-0.02, max(1.02, *(curve.values.max() + 0.02 for curve in shares.values())))
    return panels[0]


def _draw_kid(axes: Axes, rows: Rows) -> None:
    epochs, values = Curve.of(rows, "kid")
    axes.plot(epochs, values, "o-", color=LINE, markersize=3, label="samples")
    if best := best_row(rows):
        axes.plot(best["epoch"], best["kid"], "o", color=OFF, label=f"lowest: {best_in_words(best)}")
    (at, middle), error = Curve.of(_rows_with(rows, "kid_error"), "kid"), Curve.of(rows, "kid_error").values
    axes.fill_between(at, middle - error, middle + error, color=LINE, alpha=0.15)
    floor = Curve.of(rows, "kid_floor")
    if len(floor.epochs):
        axes.plot(*floor, "--", color="grey", linewidth=1, label="one half of the reals against the other")
    if values.min() > 0 and values.max() > LOG_SCALE_RATIO * values.min():
        axes.set_yscale("log")


def _to_share(axes: Axes) -> None:
    axes.set_ylim(-0.02, 1.02)
