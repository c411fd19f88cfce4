"""The plots of a training, from its rows in stats.jsonl: one PNG for each kind of figure."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.gan.stats_log import comparable
from pipeline.images.chart import ACCENT, LINE, OFF, ON, finished, new_axes, new_panels, save

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
FEW = 20  # points; they are marked as well, as a line of one point is none
MANY = 60  # points; from here on a smoothed line stands over a faint one
PARTS = 25  # of the training; each point of the smoothed line is a mean over the one before and the one after it
WIDE = 10  # times the smallest KID; where the largest is beyond, the scale is logarithmic


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A plot of one or several figures over the epochs."""

    title: str
    of: Mapping[str, tuple[str, str]]  # the figure's name in the rows: what it is called, and its colour
    share: bool = False  # from 0 to 1, with a line at a half: that of chance
    log: bool = False
    least: float | None = None  # where the scale begins; None: where the figures do


PLOTS = {
    "losses": Lines(title="loss", of={"d_loss": ("discriminator", LINE), "g_loss": ("generator", OFF)}),
    "accuracy": Lines(title="how often the discriminator is right", of={"d_accuracy": ("", LINE)}, share=True),
    "probabilities": Lines(
        title="how real the discriminator finds them",
        of={"d_real": ("reals", ON), "d_fake": ("fakes", OFF)},
        share=True,
    ),
    "gradients": Lines(
        title="norm of the gradient",
        of={"d_gradient": ("discriminator", LINE), "g_gradient": ("generator", OFF)},
        log=True,
    ),
    "speed": Lines(title="pictures a second", of={"images_per_second": ("", LINE)}, least=0),
}
SHARES = {"precision": ON, "recall": LINE, "diversity": ACCENT, "memorised": OFF}


def draw_plots(rows: Rows, folder: Path, *, prefix: str = "") -> list[str]:
    """Write losses.png, accuracy.png, probabilities.png, gradients.png, speed.png and scores.png into `folder`.

    `rows` have an `epoch` and any of the figures; where one is missing, None or no finite number, its line has no
    point, and a file that would show nothing is not written. Each file appears whole. Returns the names of those
    written; each begins with `prefix`.
    """
    drawn = {f"{prefix}{name}.png": axes for name, axes in _draw(rows).items()}
    for name, axes in drawn.items():
        save(axes, folder / name)
    return [*drawn]


def figures(rows: Rows) -> dict[str, Figure]:
    """The same plots as Matplotlib's figures, by name without a suffix, for a notebook to show."""
    return {name: finished(axes) for name, axes in _draw(rows).items()}


def _draw(rows: Rows) -> dict[str, Axes]:
    """Each plot that shows anything, by name."""
    drawn = {name: _draw_lines(plot, rows) for name, plot in PLOTS.items()} | {"scores": _draw_scores(rows)}
    return {name: axes for name, axes in drawn.items() if axes}


class Curve(NamedTuple):
    """A figure where it is known: epochs and values, both (N,) float64."""

    epochs: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows: Rows, name: str) -> Curve:
        return cls(*np.array([(row["epoch"], row[name]) for row in _with(rows, name)], float).reshape(-1, 2).T)

    def smoothed(self) -> np.ndarray:
        """Weighted means over a part of the training around each point, of what there is of it at the ends: (N,)."""
        window = np.hanning(2 * (len(self.values) // PARTS) + 3)[1:-1]
        return np.convolve(self.values, window, "same") / np.convolve(np.ones_like(self.values), window, "same")


def _with(rows: Rows, *names: str) -> Rows:
    """The rows in which all these figures are numbers."""
    return [row for row in rows if all(row.get(name) is not None and math.isfinite(row[name]) for name in names)]


def _draw_lines(plot: Lines, rows: Rows) -> Axes | None:
    curves = {name: curve for name in plot.of if len((curve := Curve.of(rows, name)).epochs)}
    if not curves:
        return None
    axes = new_axes(plot.title, "epoch")
    for name, curve in curves.items():
        label, colour = plot.of[name]
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
    """A line, with points where there are few, and smoothed over the faint one where there are many."""
    many = len(curve.epochs) >= MANY
    if many:
        axes.plot(*curve, color=colour, alpha=0.25, linewidth=0.8)
    mark = "o-" if len(curve.epochs) <= FEW else "-"
    axes.plot(curve.epochs, curve.smoothed() if many else curve.values, mark, color=colour, label=label, markersize=4)


def _draw_scores(rows: Rows) -> Axes | None:
    """The KID with its error and its floor, and below it what is a share of the pictures."""
    rows = comparable(rows)
    distance, shares = Curve.of(rows, "kid"), {name: Curve.of(rows, name) for name in SHARES}
    shares = {name: curve for name, curve in shares.items() if len(curve.epochs)}
    titles = ["KID: how far samples are from reals"] * bool(len(distance.epochs)) + [", ".join(shares)] * bool(shares)
    if not titles:
        return None
    panels = new_panels(titles, "epoch")
    if len(distance.epochs):
        _draw_kid(panels[0], _with(rows, "kid"))
    for name, curve in shares.items():
        _draw_curve(panels[-1], curve, SHARES[name], name)
    if shares:
        _to_share(panels[-1])
    return panels[0]


def _draw_kid(axes: Axes, rows: Rows) -> None:
    epochs, values = Curve.of(rows, "kid")
    best = int(values.argmin())
    axes.plot(epochs, values, "o-", color=LINE, markersize=3, label="samples")
    axes.plot(epochs[best], values[best], "o", color=OFF, label=f"lowest: {values[best]:.3g} at epoch {epochs[best]:g}")
    (at, middle), error = Curve.of(_with(rows, "kid_error"), "kid"), Curve.of(rows, "kid_error").values
    axes.fill_between(at, middle - error, middle + error, color=LINE, alpha=0.15)
    floor = Curve.of(rows, "kid_floor")
    if len(floor.epochs):
        axes.plot(*floor, "--", color="grey", linewidth=1, label="one half of the reals against the other")
    if values.min() > 0 and values.max() > WIDE * values.min():
        axes.set_yscale("log")


def _to_share(axes: Axes) -> None:
    axes.set_ylim(-0.02, 1.02)
