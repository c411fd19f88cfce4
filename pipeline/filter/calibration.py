"""From scores to probabilities, and from the labels' share of on-target pictures to that of a whole crawl."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

ROUNDS = 500  # of expectation and maximisation; it settles in fewer
STEEPEST, FLATTEST = 50.0, 0.01  # a rising curve always, so that a higher score never means a lower probability


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """probability = 1 / (1 + exp(-(slope * score + intercept))), where the share `prior` is on target."""

    slope: float
    intercept: float
    prior: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """The probabilities (N,) that belong to `scores` (N,)."""
        return 1 / (1 + np.exp(-np.clip(self.slope * scores + self.intercept, -30, 30)))


def calibrate(scores: np.ndarray, on: np.ndarray) -> Calibration:
    """Fit a calibration to `scores` (L,) of pictures whose labels `on` (L,) bool the classifier had not seen.

    After J. Platt, "Probabilistic Outputs for Support Vector Machines" (1999), with his targets a little short of 0
    and 1, which keep a few well separated labels from passing for certainty.
    """
    yes, no = int(on.sum()), int((~on).sum())
    target = np.where(on, (yes + 1) / (yes + 2), 1 / (no + 2))
    model = LogisticRegression(C=1e6, max_iter=1000)
    twice = np.concatenate([scores, scores])[:, np.newaxis]
    truth = np.repeat([1, 0], len(scores))
    model.fit(twice, truth, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(np.clip(model.coef_[0, 0], FLATTEST, STEEPEST))
    return Calibration(slope=slope, intercept=float(model.intercept_[0]), prior=yes / len(on))


def estimate_share(probabilities: np.ndarray, prior: float) -> float:
    """The share of on-target pictures among those with `probabilities` (N,), which were right where it is `prior`.

    Labels are seldom a fair sample: 30 on and 50 off say nothing about the crawl. After M. Saerens, P. Latinne and
    C. Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities" (2002).
    """
    share, least = prior, 1 / (len(probabilities) + 2)
    for _ in range(ROUNDS):
        before, share = share, float(np.clip(shift(probabilities, prior, share).mean(), least, 1 - least))
        if abs(share - before) < 1e-7:
            break
    return share


def shift(probabilities: np.ndarray, prior: float, share: float) -> np.ndarray:
    """`probabilities`, right where the share `prior` is on target, as they are where `share` is (Bayes' rule)."""
    yes = probabilities * (share / prior)
    no = (1 - probabilities) * ((1 - share) / (1 - prior))
    return yes / (yes + no)
