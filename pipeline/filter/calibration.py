"""Calibrate scores to probabilities, and estimate the class prior of the squares without a label.

Labels are not a random sample. If people sorted 30 on-target and 50 off-target squares into folders, they chose by
label, and probabilities fitted to the labels have to be adjusted to the real class prior (M. Saerens, P. Latinne and C.
Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", 2002). If they labelled squares
that the filter was uncertain about, they chose by score, and the probabilities need no adjustment. In both cases the
mean of the adjusted probabilities (shifted by one offset in logits) must equal the class prior, so the prior is
estimated: once under each assumption. The label page mixes in random squares, so where labels include a random sample
the second estimate gets more weight. The labels of the random sample themselves override both estimates.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

MAX_ITERATIONS = 500  # of expectation maximisation; it converges earlier
MAX_SLOPE, MIN_SLOPE = 50.0, 0.01  # positive, so that a higher score never gives a lower probability


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """probability = 1 / (1 + exp(-(slope * score + intercept))), for the class prior `prior`."""

    slope: float
    intercept: float
    prior: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Convert `scores` (N,) to probabilities (N,)."""
        return 1 / (1 + np.exp(-np.clip(self.slope * scores + self.intercept, -30, 30)))


def calibrate(scores: np.ndarray, on: np.ndarray) -> Calibration:
    """Fit a calibration (Platt scaling) to scores of labelled squares by a classifier that did not train on their
    labels.

    After J. Platt, "Probabilistic Outputs for Support Vector Machines" (1999). His targets are slightly less than 1 and
    more than 0, so that a few well separated labels do not give extreme probabilities.

    Args:
        scores: (L,) scores.
        on: (L,) bool, whether each square is labelled on target.
    """
    positives, negatives = int(on.sum()), int((~on).sum())
    target = np.where(on, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    model = LogisticRegression(C=1e6, max_iter=1000)
    repeated = np.concatenate([scores, scores])[:, np.newaxis]
    classes = np.repeat([1, 0], len(scores))
    model.fit(repeated, classes, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(np.clip(model.coef_[0, 0], MIN_SLOPE, MAX_SLOPE))
    return Calibration(slope=slope, intercept=float(model.intercept_[0]), prior=positives / len(on))


def estimate_class_prior(probabilities: np.ndarray, prior: float) -> float:
    """Estimate the fraction of on-target squares by expectation maximisation (Saerens et al., 2002).

    Args:
        probabilities: (N,) probabilities that are calibrated for the class prior `prior`.
        prior: The fraction of on-target squares among the labels.
    """
    class_prior, lowest = prior, 1 / (len(probabilities) + 2)
    for _ in range(MAX_ITERATIONS):
        previous, class_prior = (
            class_prior,
            float(np.clip(adjust_to_prior(probabilities, prior, class_prior).mean(), lowest, 1 - lowest)),
        )
        if abs(class_prior - previous) < 1e-7:
            break
    return class_prior


def adjust_to_prior(probabilities: np.ndarray, prior: float, new_prior: float) -> np.ndarray:
    """Adjust probabilities calibrated for the class prior `prior` to `new_prior` (Bayes' rule)."""
    on = probabilities * (new_prior / prior)
    off = (1 - probabilities) * ((1 - new_prior) / (1 - prior))
    return on / (on + off)


GRID = (np.arange(500) + 0.5) / 500
RANDOM_LABEL_FRACTION = (
    0.12  # of labels that form a random sample if all come from the label page, which draws one in five at random
)
MIN_PRIOR_STD = 0.04  # of the class prior as estimated from scores alone: no such estimate is more certain
UNIFORM_WEIGHT = 0.02  # of a uniform prior mixed in, so that many random labels override the estimate from scores
QUANTILES = 400  # that stand for all probabilities, to find many offsets at once
MAX_OFFSET = 12.0  # largest offset in logits
BISECTIONS = 40


@dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """How many squares are labelled or not: the data for the class prior."""

    random_on: int = 0  # labels of squares drawn at random
    random_off: int = 0
    on: int = 0  # all labels
    off: int = 0
    unlabelled: int = 0  # squares without a label


@dataclass(frozen=True, kw_only=True)
class ClassPrior:
    """A distribution over the class prior: the probability of each value of `GRID`, (500,), summing to 1."""

    probabilities: np.ndarray
    chosen_by_label: float = 1.0  # 1 if labels were chosen by label, 0 if by score, or between

    @property
    def mean(self) -> float:
        """The expected class prior."""
        return float(self.probabilities @ GRID)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draw `count` values of the class prior from this distribution."""
        return random.choice(GRID, count, p=self.probabilities)


def infer_class_prior(probabilities: np.ndarray, prior: float, counts: LabelCounts) -> ClassPrior:
    """Infer the class prior of the squares without a label, as a distribution.

    Args:
        probabilities: (N,) probabilities of the squares without a label, calibrated for the class prior `prior`.
        prior: The fraction of labels that are on target.
        counts: How many labels there are, and how many of them belong to a random sample.
    """
    by_label, by_score = estimate_class_prior(probabilities, prior), float(probabilities.mean())
    random_weight = min(
        (counts.random_on + counts.random_off) / max(RANDOM_LABEL_FRACTION * (counts.on + counts.off), 1), 1
    )
    mean = np.clip(random_weight * by_score + (1 - random_weight) * by_label, 0.01, 0.99)
    std = max(abs(by_label - by_score) / 2, MIN_PRIOR_STD)
    concentration = max(mean * (1 - mean) / std**2 - 1, 2.0)
    density = beta.pdf(GRID, concentration * mean, concentration * (1 - mean))
    log_posterior = np.log((1 - UNIFORM_WEIGHT) * density + UNIFORM_WEIGHT)
    total = counts.unlabelled + counts.on + counts.off
    # Random labels are sampled from all squares, labelled or not
    sampled_prior = (GRID * counts.unlabelled + counts.on) / total
    log_posterior = (
        log_posterior + counts.random_on * np.log(sampled_prior) + counts.random_off * np.log(1 - sampled_prior)
    )
    posterior = np.exp(log_posterior - log_posterior.max())
    return ClassPrior(probabilities=posterior / posterior.sum(), chosen_by_label=1 - random_weight)


def logit_offsets(probabilities: np.ndarray, class_priors: np.ndarray) -> np.ndarray:
    """Find the offsets in logits that give `probabilities` (N,) the mean `class_priors` (S,), by bisection; returns
    (S,)."""
    logits = np.quantile(logit(probabilities), np.linspace(0, 1, min(QUANTILES, len(probabilities))))
    low, high = np.full(len(class_priors), -MAX_OFFSET), np.full(len(class_priors), MAX_OFFSET)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = _sigmoid(logits + middle[:, np.newaxis]).mean(axis=1) < class_priors
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def shift_logits(probabilities: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """Shift `probabilities` by `offset` in logits."""
    return _sigmoid(logit(probabilities) + offset)


def logit(probabilities: np.ndarray) -> np.ndarray:
    """Log-odds, finite also for probabilities of 0 and 1."""
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    found = np.asarray(np.clip(logits, -50, 50))
    np.negative(found, out=found)
    np.exp(found, out=found)  # in place: the pages of the filter compute some hundred million of them
    found += 1
    return np.divide(1, found, out=found)
