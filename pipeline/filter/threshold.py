"""Where to draw the line between kept and rejected."""

from dataclasses import dataclass

import numpy as np

# The line keeps at least this share of the pictures thought to be on target: without it, a wish for more precision
# than the classifier can give would be met by keeping one picture, or none
LEAST_RECALL = 0.1
# However easy the subject, a picture that is more likely off than on is not kept to fill up the precision wished for
LEAST_LIKELY = 0.5


@dataclass(frozen=True, kw_only=True)
class Line:
    """A threshold, and what it should mean for the pictures without a label. Precision is None when it keeps none."""

    threshold: float
    precision: float | None  # share of the kept that is on target
    recall: float | None  # share of the on-target that is kept


def draw_line(probabilities: np.ndarray, precision: float) -> Line:
    """The lowest threshold, `LEAST_LIKELY` at least, at which the kept reach `precision`; if that keeps less than
    `LEAST_RECALL`, the highest that keeps as much.

    `probabilities` (N,) are those of pictures without a label; a set's precision is expected to be their mean over it.
    """
    if not len(probabilities):
        return Line(threshold=0.5, precision=None, recall=None)
    falling = np.sort(probabilities)[::-1]
    gained = np.cumsum(falling)
    least = int(np.searchsorted(gained, LEAST_RECALL * gained[-1]))
    reached = gained / np.arange(1, len(falling) + 1) >= precision
    enough = np.flatnonzero(reached & (falling >= LEAST_LIKELY))
    return judge_line(probabilities, float(falling[max(least, enough[-1] if len(enough) else 0)]))


def judge_line(probabilities: np.ndarray, threshold: float) -> Line:
    """What keeping everything at `threshold` or above should mean."""
    kept, total = probabilities[probabilities >= threshold], probabilities.sum()
    return Line(
        threshold=threshold,
        precision=float(kept.mean()) if len(kept) else None,
        recall=float(kept.sum() / total) if total > 0 else None,
    )
