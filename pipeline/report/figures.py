"""The plots of the report. Each function takes rows as the stages wrote them and writes one PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed, and none is asked for
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

ON, OFF, LINE = "#2b7a4b", "#b5523b", "#31507a"
FEW = 20  # epochs


def losses(stats: Sequence[dict[str, Any]], path: Path) -> None:
    """The generator's and the discriminator's loss over the epochs."""
    axes = _axes("loss", "epoch")
    mark = _mark(stats)
    axes.plot(*_columns(stats, "d_loss"), mark, color=LINE, label="discriminator")
    axes.plot(*_columns(stats, "g_loss"), mark, color=OFF, label="generator")
    _save(axes, path)


def probabilities(stats: Sequence[dict[str, Any]], path: Path) -> None:
    """How real the discriminator finds real and generated pictures, and how often it is right."""
    axes = _axes("discriminator", "epoch")
    mark = _mark(stats)
    axes.plot(*_columns(stats, "d_real"), mark, color=ON, label="probability given to reals")
    axes.plot(*_columns(stats, "d_fake"), mark, color=OFF, label="probability given to fakes")
    axes.plot(*_columns(stats, "d_accuracy"), mark, color=LINE, label="accuracy")
    axes.axhline(0.5, color="grey", linewidth=0.6)
    axes.set_ylim(0, 1)
    _save(axes, path)


def _mark(stats: Sequence[dict[str, Any]]) -> str:
    """Points as well where there are few: a line of one point is none."""
    return "o-" if len(stats) <= FEW else "-"


def precision_recall(truth: Sequence[bool], scores: Sequence[float], threshold: float | None, path: Path) -> None:
    """Precision against recall over all thresholds, the chosen one marked."""
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    axes = _axes("filter on labels it was not trained on", "recall")
    axes.set_ylabel("precision")
    axes.step(recall, precision, where="post", color=LINE)
    if threshold is not None:
        at = min((thresholds < threshold).sum(), len(precision) - 1)
        axes.plot(recall[at], precision[at], "o", color=OFF, label=f"threshold {threshold:.2f}")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    _save(axes, path)


def scores(kept: Sequence[float], rejected: Sequence[float], threshold: float | None, path: Path) -> None:
    """How the filter's scores are spread over the pictures kept and rejected."""
    axes = _axes("filter scores", "score")
    axes.hist([kept, rejected], bins=25, range=(0, 1), stacked=True, color=[ON, OFF], label=["kept", "rejected"])
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=0.8)
    axes.set_ylabel("pictures")
    _save(axes, path)


def _columns(rows: Sequence[dict[str, Any]], name: str) -> tuple[list, list]:
    found = [row for row in rows if row.get(name) is not None]
    return [row["epoch"] for row in found], [row[name] for row in found]


def _axes(title: str, below: str) -> Axes:
    axes = Figure(figsize=(5.2, 3.2), dpi=120, layout="constrained").add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(below)
    axes.grid(alpha=0.25)
    return axes


def _save(axes: Axes, path: Path) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
    axes.figure.savefig(path)
