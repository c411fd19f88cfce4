"""The plots of the filter in the report. Each function writes one PNG; those of the training are in gan/plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sklearn.metrics import precision_recall_curve

from pipeline.filter.proof import interval
from pipeline.images.chart import ACCENT, LINE, OFF, ON, new_axes, save

COLOURS = {"rejected": OFF, "unsure": ACCENT, "kept": ON}
BINS, A_BIN = 8, 10  # of the reliability diagram at most; labels that each needs


def precision_recall(truth: Sequence[bool], scores: Sequence[float], least: float | None, path: Path) -> None:
    """Precision against recall over all thresholds, the chosen one marked: pictures of score `least` are kept."""
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    axes = new_axes("filter on labels it was not trained on", "recall")
    axes.set_ylabel("precision")
    axes.step(recall, precision, where="post", color=LINE)
    if least is not None:
        at = min((thresholds < least).sum(), len(precision) - 1)
        axes.plot(recall[at], precision[at], "o", color=OFF, label=f"kept from {least:.2f} up")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    save(axes, path)


def reliability(truth: Sequence[bool], said: Sequence[float], path: Path) -> None:
    """How often pictures are on target that are said to be so with some probability: on the diagonal if the
    probabilities are right. Each bar is the interval that its labels allow."""
    axes = new_axes("are the probabilities right?", "probability said, of labels not trained on")
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
    save(axes, path)


def scores(found: Mapping[str, Sequence[float]], threshold: float | None, path: Path) -> None:
    """How the filter's scores are spread over the pictures of each outcome."""
    axes = new_axes("filter scores", "score")
    names = [name for name in COLOURS if found.get(name)]
    shown, colours = [found[name] for name in names], [COLOURS[name] for name in names]
    axes.hist(shown, bins=25, range=(0, 1), stacked=True, color=colours, label=names)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=0.8)
    axes.set_ylabel("pictures")
    save(axes, path)
