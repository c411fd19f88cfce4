"""One look for all plots. Matplotlib is loaded with the first of them: a training that draws none yet starts sooner."""

from __future__ import annotations

import io
import typing
from pathlib import Path

from pipeline.images.png import write_whole

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ON, OFF, LINE, ACCENT = "#2b7a4b", "#b5523b", "#31507a", "#c9a227"
WIDTH, HEIGHT, DOTS = 5.2, 3.2, 120  # inches, inches, and pixels an inch


def new_axes(title: str, below: str) -> Axes:
    """A plot to draw into; `below` names what goes to the right."""
    return new_panels([title], below)[0]


def new_panels(titles: list[str], below: str) -> list[Axes]:
    """Plots above each other that share what goes to the right."""
    from matplotlib.figure import Figure  # pyplot is not needed, and would keep every figure

    figure = Figure(figsize=(WIDTH, HEIGHT * (1 + 0.6 * (len(titles) - 1))), dpi=DOTS, layout="constrained")
    panels = figure.subplots(len(titles), sharex=True, squeeze=False)[:, 0].tolist()
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.25)
    panels[-1].set_xlabel(below)
    return panels


def finished(axes: Axes) -> Figure:
    """The figure that `axes` is part of, with a legend where something has a name."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # `panels` made it
    for each in figure.axes:
        if each.get_legend_handles_labels()[0]:
            each.legend(fontsize=8, frameon=False)
    return figure


def save(axes: Axes, path: Path) -> None:
    """Write the figure that `axes` is part of, finished, to `path` in one step."""
    file = io.BytesIO()
    finished(axes).savefig(file, format="png")
    write_whole(path, file.getvalue(), sync=False)  # drawn again from the figures at any time
