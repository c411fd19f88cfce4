"""How much labels have helped so far, and what more of them may bring: a learning curve, and a word on when to stop."""

import math
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.filter.kernel import Fit, fit_ridge, own_scores

SHARES = 0.25, 0.5, 0.75, 1.0  # of the labels
DRAWS = 12  # of each share, averaged
LEAST = 4  # labels of each kind in a draw
MORE = 40  # labels: what a person gives in two minutes
POWERS = 0.1, 2.0  # that are believed: the points of a curve are uncertain, and it has not come to rest at .8
LITTLE = 0.005  # of average precision, not worth them


def learning_curve(fit: Fit, on: np.ndarray, groups: np.ndarray, *, ridge: float, seed: int) -> dict[str, Any]:
    """`curve`, pairs of labels and average precision; `hint`, a sentence on it; `enough`, whether more hardly help.

    Each point is the mean over some draws of so many of the labels `on` (L,) bool, in `groups` (L,): the machine alone
    is trained on a draw, and what it says of all labelled pictures, of those in the draw without their groups, is
    measured.
    """
    random = np.random.default_rng(seed)
    curve = []
    for share in SHARES:
        draws = 1 if share == 1 else DRAWS
        found = [_measure(fit, on, groups, _draw(groups, share, random), ridge) for _ in range(draws)]
        if found := [value for value in found if value is not None]:
            curve.append([round(share * len(on)), round(float(np.mean(found)), 4)])
    return {"curve": curve, **_words(curve)}


def _draw(groups: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """The places of the pictures of that share of the groups."""
    names = np.unique(groups)
    chosen = random.permutation(names)[: math.ceil(share * len(names))]
    return np.isin(groups, chosen).nonzero()[0]


def _measure(fit: Fit, on: np.ndarray, groups: np.ndarray, drawn: np.ndarray, ridge: float) -> float | None:
    if min(on[drawn].sum(), (~on[drawn]).sum()) < LEAST:
        return None
    trained = fit_ridge(fit.likeness[np.ix_(drawn, drawn)], on[drawn], ridge)
    scores = fit.reach[:, drawn] @ trained.weights
    numbers = np.unique(groups[drawn], return_inverse=True)[1]
    scores[drawn] = own_scores(fit.reach[np.ix_(drawn, drawn)], trained.leave_out(numbers), numbers)
    return float(average_precision_score(on, scores))


def _words(curve: list[list[float]]) -> dict[str, Any]:
    """What falls short of 1 is thought to fall like a power of the number of labels (C. Cortes et al., "Learning
    Curves", 1993)."""
    if len(curve) < 2:
        return {"hint": "", "enough": False}
    (fewer, before), (labels, now) = curve[-3] if len(curve) > 2 else curve[0], curve[-1]
    missing = np.log([max(1 - value, 1e-3) for _, value in curve])
    power = -float(np.polyfit(np.log([count for count, _ in curve]), missing, 1)[0])
    more = (1 - now) * (1 - (labels / (labels + MORE)) ** float(np.clip(power, *POWERS)))
    hint = (
        f"average precision {before:.3f} from {fewer} labels, {now:.3f} from {labels}; {MORE} more may add {more:.3f}"
    )
    return {"hint": hint + (": hardly worth it" if more < LITTLE else ""), "enough": more < LITTLE}
