"""What would raise the filter's recall most: pretrained weights, more labels, or a lower precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.filter.learn import NEGLIGIBLE_GAIN, predict_gain
from pipeline.filter.threshold import Threshold, choose_threshold
from pipeline.labels.snapshot import EXTRA_LABELS
from pipeline.options import FilterOptions

HIGH_RECALL = 0.9  # there is no advice above
# What is left of 1 - average precision with MobileNet's weights: mean of six subjects (docs/benchmarks.md, Filter)
ERROR_WITH_WEIGHTS = (1 - 0.87) / (1 - 0.71)
LOWER_PRECISIONS = 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5
WORTH_IT = 0.1  # of the on-target squares that are not kept: a lower precision has to keep at least as many of them


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One way to keep more on-target squares."""

    way: str  # 'weights', 'labels', 'precision' or 'threshold'
    more: int  # on-target squares that it would keep in addition; estimated
    text: str


def advise(
    shifted: np.ndarray,
    threshold: Threshold,
    options: FilterOptions,
    *,
    has_backbone: bool,
    curve: Sequence[Sequence[float]],
) -> list[Advice]:
    """Ways to keep more on-target squares, the most effective first; none if the expected recall is high.

    Args:
        shifted: (N,) probabilities of the squares without a label, whose mean over a set is its expected precision.
        threshold: The threshold of the filter.
        options: The options of the filter.
        has_backbone: Whether the classifier uses pretrained weights.
        curve: The learning curve, pairs of labels and average precision.
    """
    if threshold.recall is None or threshold.recall >= HIGH_RECALL:
        return []
    missed = float(shifted[shifted < threshold.high].sum())
    found = [
        None if has_backbone else _weights(missed),
        _labels(missed, curve),
        _lower_precision(shifted, threshold, options, missed),
    ]
    return sorted((each for each in found if each and each.more > 0), key=lambda each: -each.more)


def _weights(missed: float) -> Advice:
    more = round(missed * (1 - ERROR_WITH_WEIGHTS))
    text = (
        f"pretrained weights, which this classifier has none of (about {more} of them): connect to a network and leave"
        " classifier.backbone = auto, which fetches 17 MB, or name a file, classifier.backbone = FILE.h5"
    )
    return Advice(way="weights", more=more, text=text)


def _labels(missed: float, curve: Sequence[Sequence[float]]) -> Advice | None:
    """More labels, if the learning curve still rises: the lost squares become fewer as 1 - average precision does."""
    gain = predict_gain(curve)
    if gain is None or gain < NEGLIGIBLE_GAIN:
        return None
    more = round(missed * gain / max(1 - curve[-1][1], gain))
    return Advice(way="labels", more=more, text=f"{EXTRA_LABELS} more labels (about {more} of them)")


def _lower_precision(shifted: np.ndarray, threshold: Threshold, options: FilterOptions, missed: float) -> Advice | None:
    """The highest lower precision that keeps clearly more on-target squares."""
    present = shifted >= threshold.high
    ceiling = options.precision if options.threshold is None else threshold.precision
    for precision in LOWER_PRECISIONS:
        if ceiling is not None and precision >= ceiling:
            continue
        lower = choose_threshold(shifted, precision, options.unsure)
        added = (shifted >= lower.high) & ~present
        more = round(float(shifted[added].sum()))
        if more >= max(WORTH_IT * missed, 1):
            setting = (
                f"filter.precision = {precision:g}"
                if options.threshold is None
                else f"filter.threshold = {lower.threshold:g}"
            )
            text = f"{setting}, which would keep about {int(added.sum())} squares more, {more} of them on target"
            return Advice(way="precision" if options.threshold is None else "threshold", more=more, text=text)
    return None
