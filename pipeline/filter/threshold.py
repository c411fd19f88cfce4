"""Where to draw the line between kept and rejected, and how wide the band of those that are neither."""

from dataclasses import dataclass

import numpy as np

# The line keeps at least this share of the pictures thought to be on target: without it, a wish for more precision
# than the classifier can give would be met by keeping one picture, or none
LEAST_RECALL = 0.1
# However easy the subject, a picture that is more likely off than on is not kept to fill up the precision wished for.
# Only where the wish is out of reach the line may lie lower, so that something is kept
LEAST_LIKELY = 0.5
HIGHEST = 0.99  # score that the band may ask for
STEP = 0.005  # between the thresholds that are tried: a person can read them


@dataclass(frozen=True, kw_only=True)
class Line:
    """A threshold, the band around it, and what it should mean for the pictures without a label.

    Kept is what scores `high` or more, rejected what scores less than `low`. Precision is None when nothing is kept.
    """

    threshold: float
    low: float
    high: float
    precision: float | None  # share of the kept that is on target
    recall: float | None  # share of the on-target that is kept


def draw_line(probabilities: np.ndarray, precision: float, band: float) -> Line:
    """The lowest threshold, `LEAST_LIKELY` at least, at which the kept reach `precision`; if that keeps less than
    `LEAST_RECALL`, the highest that keeps as much.

    `probabilities` (N,) are those of pictures without a label; a set's precision is expected to be their mean over it.
    `band` is how far on either side of the threshold a score is unsure.
    """
    if not len(probabilities):
        return judge_line(probabilities, LEAST_LIKELY, band)
    falling = np.sort(probabilities)[::-1]
    gained = np.concatenate([[0.0], np.cumsum(falling)])
    tried = np.arange(0, 1, STEP).round(6)
    kept = np.searchsorted(-falling, -_upper(tried, band), side="right")
    found = gained[kept] / np.maximum(kept, 1)
    much = (kept > 0) & (gained[kept] >= LEAST_RECALL * gained[-1])
    if not much.any():  # no score is beyond the band of even the lowest threshold: nothing here is on target
        return judge_line(probabilities, LEAST_LIKELY, band)
    enough = (much & (found >= precision) & (tried >= LEAST_LIKELY)).nonzero()[0]
    threshold = tried[enough[0]] if len(enough) else tried[much.nonzero()[0][-1]]
    return judge_line(probabilities, float(threshold), band)


def judge_line(probabilities: np.ndarray, threshold: float, band: float) -> Line:
    """What that threshold should mean."""
    low, high = max(threshold - band, 0.0), float(_upper(threshold, band))
    kept, total = probabilities[probabilities >= high], probabilities.sum()
    return Line(
        threshold=threshold,
        low=round(low, 6),
        high=round(high, 6),
        precision=float(kept.mean()) if len(kept) else None,
        recall=float(kept.sum() / total) if total > 0 else None,
    )


def _upper(threshold: np.ndarray | float, band: float) -> np.ndarray | float:
    """The upper edge of the band: never so high that no score would reach it."""
    return np.minimum(threshold + band, np.maximum(threshold, HIGHEST))
