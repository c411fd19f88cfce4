"""The plots of the report. Each function takes rows as the stages wrote them and writes one PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed, and none is asked for
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from pipeline.filter.proof import interval

ON, OFF, LINE = "#2b7a4b", "#b5523b", "#31507a"
COLOURS = {"rejected": OFF, "unsure": "#c9a227", "kept": ON}
FEW = 20  # epochs
BINS, A_BIN = 8, 10  # of the reliability diagram at most; labels that each needs


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


def precision_recall(truth: Sequence[bool], scores: Sequence[float], least: float | None, path: Path) -> None:
    """Precision against recall over all thresholds, the chosen one marked: pictures of score `least` are kept."""
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    axes = _axes("filter on labels it was not trained on", "recall")
    axes.set_ylabel("precision")
    axes.step(recall, precision, where="post", color=LINE)
    if least is not None:
        at = min((thresholds < least).sum(), len(precision) - 1)
        axes.plot(recall[at], precision[at], "o", color=OFF, label=f"kept from {least:.2f} up")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    _save(axes, path)


def reliability(truth: Sequence[bool], said: Sequence[float], path: Path) -> None:
    """How often pictures are on target that are said to be so with some probability: on the diagonal if the
    probabilities are right. Each bar is the interval that its labels allow."""
    axes = _axes("are the probabilities right?", "probability said, of labels not trained on")
    axes.set_ylabel("share labelled on")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.6)
    order = sorted(zip(said, truth, strict=True))
    bins = max(2, min(BINS, len(order) // A_BIN))
    for part in (order[len(order) * bin // bins : len(order) * (bin + 1) // bins] for bin in range(bins)):
        if part:
            share, low, high = interval(sum(on for _, on in part), len(part))
            middle = sum(score for score, _ in part) / len(part)
            axes.errorbar(middle, share, [[share - low], [high - share]], fmt="o", color=LINE, capsize=2, markersize=4)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    _save(axes, path)


def scores(found: Mapping[str, Sequence[float]], threshold: float | None, path: Path) -> None:
    """How the filter's scores are spread over the pictures of each outcome."""
    axes = _axes("filter scores", "score")
    names = [name for name in COLOURS if found.get(name)]
    shown, colours = [found[name] for name in names], [COLOURS[name] for name in names]
    axes.hist(shown, bins=25, range=(0, 1), stacked=True, color=colours, label=names)
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
