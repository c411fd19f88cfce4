"""From scores to probabilities: calibration, and the class prior of the pictures without a label.

Labels are not a random sample. Where people sorted 30 on and 50 off into folders, they chose by label, and
probabilities fitted to the labels have to be moved (M. Saerens, P. Latinne and C. Decaestecker, "Adjusting the Outputs
of a Classifier to New a Priori Probabilities", 2002). Where they labelled what the filter was unsure of, they chose by
score, and the probabilities are right. In both cases the probabilities, moved by one number in logits, must have the
true prior as their mean. So the prior has to be estimated. Both readings give an estimate; the label page mixes random
squares in, so where the labels hold a random sample the second reading is used; and the sample itself overrides both.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta
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


GRID = (np.arange(500) + 0.5) / 500
FAIR = 0.12  # of the labels that are a random sample where the label page was used: one in five is drawn so
LEAST_SPREAD = 0.04  # of the share, before any fair labels: no reading of the scores is surer
DOUBT = 0.02  # that the scores say anything of the share: many fair labels outdo any reading of them
BINS = 400  # that probabilities are counted in, to find many offsets at once
FARTHEST = 12.0  # logits that probabilities are moved by at most
HALVINGS = 40


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Labels and pictures, for what they say of the share."""

    fair_on: int = 0  # labels of pictures drawn at random
    fair_off: int = 0
    on: int = 0  # all labels
    off: int = 0
    free: int = 0  # pictures without a label


@dataclass(frozen=True, kw_only=True)
class ClassPrior:
    """What is known of a share: how likely each value of `GRID` is, (500,), summing to 1."""

    likely: np.ndarray
    by_label: float = 1.0  # how far labels are thought to be chosen by label, not by score: 0 to 1

    @property
    def mean(self) -> float:
        """The share to reckon with."""
        return float(self.likely @ GRID)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """`count` shares, each as likely as it should be."""
        return random.choice(GRID, count, p=self.likely)


def infer_class_prior(free: np.ndarray, prior: float, counts: Counts) -> ClassPrior:
    """The share among the pictures without a label, whose probabilities `free` (N,) were fitted to labels of which
    `prior` are on."""
    by_label, by_score = estimate_share(free, prior), float(free.mean())
    page = min((counts.fair_on + counts.fair_off) / max(FAIR * (counts.on + counts.off), 1), 1)
    middle = np.clip(page * by_score + (1 - page) * by_label, 0.01, 0.99)
    spread = max(abs(by_label - by_score) / 2, LEAST_SPREAD)
    weight = max(middle * (1 - middle) / spread**2 - 1, 2.0)
    by_scores = beta.pdf(GRID, weight * middle, weight * (1 - middle))
    logs = np.log((1 - DOUBT) * by_scores + DOUBT)
    whole = (GRID * counts.free + counts.on) / (counts.free + counts.on + counts.off)  # what fair labels are drawn from
    logs = logs + counts.fair_on * np.log(whole) + counts.fair_off * np.log(1 - whole)
    likely = np.exp(logs - logs.max())
    return ClassPrior(likely=likely / likely.sum(), by_label=1 - page)


def offsets(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """By how much to move `probabilities` (N,) in logits so that their mean is each of `shares` (S,)."""
    edges = np.quantile(logit(probabilities), np.linspace(0, 1, min(BINS, len(probabilities))))
    low, high = np.full(len(shares), -FARTHEST), np.full(len(shares), FARTHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        less = _sigmoid(edges + middle[:, np.newaxis]).mean(axis=1) < shares
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return (low + high) / 2


def move(probabilities: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """`probabilities` moved by `offset` in logits."""
    return _sigmoid(logit(probabilities) + offset)


def logit(probabilities: np.ndarray) -> np.ndarray:
    """The logarithms of the odds, finite also at 0 and 1."""
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
