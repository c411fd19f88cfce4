"""The common style of all plots. Matplotlib is imported with the first plot, because it is slow to import."""

from __future__ import annotations

import io
import textwrap
import typing
from pathlib import Path

from pipeline.store.atomic import write_whole

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ON, OFF, LINE, ACCENT = "#2b7a4b", "#b5523b", "#31507a", "#c9a227"
WIDTH, HEIGHT, DPI = 5.2, 3.2, 120  # in inches; pixels per inch
TITLE_WIDTH = 66  # characters in a line of a title


def new_axes(title: str, xlabel: str) -> Axes:
    """The axes of a new plot with a title and the label `xlabel` of the x axis."""
    return new_panels([title], xlabel)[0]


def new_panels(titles: list[str], xlabel: str) -> list[Axes]:
    """The axes of several plots above each other with a common x axis."""
    from matplotlib.figure import Figure  # pyplot would keep every figure in memory

    figure = Figure(figsize=(WIDTH, HEIGHT * (1 + 0.6 * (len(titles) - 1))), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(titles), sharex=True, squeeze=False)[:, 0].tolist()
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(textwrap.fill(title, TITLE_WIDTH), fontsize=10)
        axes.grid(alpha=0.25)
    panels[-1].set_xlabel(xlabel)
    return panels


def finished(axes: Axes) -> Figure:
    """The figure of `axes`, with a legend for each plot whose lines have labels."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # `new_panels` made it
    for each in figure.axes:
        if each.get_legend_handles_labels()[0]:
            each.legend(fontsize=8, frameon=False)
    return figure


def save(axes: Axes, path: Path) -> None:
    """Write the figure of `axes` as a PNG file, atomically."""
    file = io.BytesIO()
    finished(axes).savefig(file, format="png")
    write_whole(path, file.getvalue(), sync=False)  # it can be drawn again from the recorded figures
