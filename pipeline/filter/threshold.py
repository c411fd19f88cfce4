"""Choose the threshold between kept and rejected, and estimate the filter's precision with an interval.

It also estimates how many more labels would confirm a precision, and finds labels that are probably wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import beta

from pipeline.filter.calibration import ClassPrior, LabelCounts, infer_class_prior, logit_offsets, shift_logits

# At least this fraction of the squares expected on target is kept. Otherwise a precision that the classifier cannot
# give would be reached by keeping one square, or none
MIN_RECALL = 0.1
# A square that is more likely off target than on target is not kept, even if the precision would allow it. Only if the
# precision is out of reach the threshold may be lower, so that something is kept
MIN_THRESHOLD = 0.5
MAX_UPPER_EDGE = 0.99  # highest score that the band may require
STEP = 0.005  # between candidate thresholds: coarse enough to be readable


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A threshold, the band around it, and the expected precision and recall on squares without a label.

    Scores of `high` or more are kept, scores below `low` are rejected. Precision is None if nothing is kept.
    """

    threshold: float
    low: float
    high: float
    precision: float | None  # fraction of kept squares that are on target
    recall: float | None  # fraction of on-target squares that are kept


def choose_threshold(probabilities: np.ndarray, precision: float, band: float) -> Threshold:
    """Choose the lowest threshold, at least `MIN_THRESHOLD`, with the expected precision `precision`.

    If that would keep less than `MIN_RECALL`, choose the highest threshold that keeps as much.

    Args:
        probabilities: (N,) of squares without a label; their mean over a set is its expected precision.
        precision: The precision to reach.
        band: How far on either side of the threshold a score is borderline.
    """
    if not len(probabilities):
        return evaluate_threshold(probabilities, MIN_THRESHOLD, band)
    descending = np.sort(probabilities)[::-1]
    expected_on = np.concatenate([[0.0], np.cumsum(descending)])
    candidates = np.arange(0, 1, STEP).round(6)
    kept = np.searchsorted(-descending, -_upper(candidates, band), side="right")
    precisions = expected_on[kept] / np.maximum(kept, 1)
    enough_recall = (kept > 0) & (expected_on[kept] >= MIN_RECALL * expected_on[-1])
    if not enough_recall.any():  # no score is above the band of the lowest threshold: nothing is on target
        return evaluate_threshold(probabilities, MIN_THRESHOLD, band)
    suitable = (enough_recall & (precisions >= precision) & (candidates >= MIN_THRESHOLD)).nonzero()[0]
    threshold = candidates[suitable[0]] if len(suitable) else candidates[enough_recall.nonzero()[0][-1]]
    return evaluate_threshold(probabilities, float(threshold), band)


def evaluate_threshold(probabilities: np.ndarray, threshold: float, band: float) -> Threshold:
    """Compute the expected precision and recall of `threshold`."""
    low, high = max(threshold - band, 0.0), float(_upper(threshold, band))
    kept, total = probabilities[probabilities >= high], probabilities.sum()
    return Threshold(
        threshold=threshold,
        low=round(low, 6),
        high=round(high, 6),
        precision=float(kept.mean()) if len(kept) else None,
        recall=float(kept.sum() / total) if total > 0 else None,
    )


def _upper(threshold: np.ndarray | float, band: float) -> np.ndarray | float:
    """The upper edge of the band, limited so that some score can reach it."""
    return np.minimum(threshold + band, np.maximum(threshold, MAX_UPPER_EDGE))


CONFIDENCE = 0.9  # of all intervals: the true value is above the lower end in 95 of 100 cases
DRAWS, KNOTS = 4000, 40
MIN_STRATUM_LABELS = 15  # labelled squares that each stratum needs
MAX_STRATA = 3
MAX_EXTRA_LABELS = 5000  # a user who would need more will rather ask for less precision
KEPT_FRACTIONS = 1.0, 0.75, 0.5  # of kept squares, those with the highest scores: fewer are too few to train with


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The data that the precision is estimated from."""

    scores: np.ndarray  # (L,) out-of-fold probabilities of labelled squares
    on: np.ndarray  # (L,) bool
    unlabelled: np.ndarray  # (N,) probabilities of squares without a label
    class_prior: ClassPrior  # of the unlabelled squares

    @cached_property
    def offset(self) -> float:
        """The shift in logits that gives the probabilities of unlabelled squares their expected class prior as mean."""
        return (
            float(logit_offsets(self.unlabelled, np.array([self.class_prior.mean]))[0]) if len(self.unlabelled) else 0.0
        )

    @cached_property
    def shifted(self) -> np.ndarray:
        """Scores of labelled squares, shifted like the probabilities that the threshold was chosen for."""
        return shift_logits(self.scores, self.offset)

    @cached_property
    def shifted_unlabelled(self) -> np.ndarray:
        """(N,) probabilities of squares without a label, shifted to the expected class prior."""
        return shift_logits(self.unlabelled, self.offset)

    def uncertain_offset(self) -> tuple[np.ndarray, np.random.Generator]:
        """Deviations of the offset as `offset_uncertainty` draws them from seed 0, and the generator for what follows.

        They are drawn once for any number of thresholds, and each threshold gets the numbers that it would get alone.
        """
        further, state = self._uncertain_offset
        random = np.random.default_rng(0)
        random.bit_generator.state = state
        return further, random

    @cached_property
    def _uncertain_offset(self) -> tuple[np.ndarray, Any]:
        random = np.random.default_rng(0)
        return offset_uncertainty(self, random), random.bit_generator.state


def gather_evidence(
    unlabelled: np.ndarray, prior: float, random_labels: Sequence[str], labels: Sequence[str], scores: np.ndarray
) -> Evidence:
    """The evidence from labels and scores, with the class prior that they imply.

    Args:
        unlabelled: (N,) probabilities of squares without a label.
        prior: The class prior that the probabilities are calibrated for.
        random_labels: The labels of a random sample of all squares, as far as there is one.
        labels: 'on' or 'off' of each labelled square.
        scores: (L,) out-of-fold probabilities of the labelled squares, in the same order.
    """
    counts = LabelCounts(
        random_on=random_labels.count("on"),
        random_off=random_labels.count("off"),
        on=labels.count("on"),
        off=labels.count("off"),
        unlabelled=len(unlabelled),
    )
    return Evidence(
        scores=scores,
        on=np.array([label == "on" for label in labels], bool),
        unlabelled=unlabelled,
        class_prior=infer_class_prior(unlabelled if len(unlabelled) else np.array([prior]), prior, counts),
    )


@dataclass(frozen=True, kw_only=True)
class PrecisionEstimate:
    """An interval for the precision of squares that are kept without a label."""

    low: float | None  # lower end of the interval; None if nothing is kept
    high: float | None
    labels: int  # labelled squares above the threshold, which it is estimated from
    more: int | None  # how many more would raise the lower end to the target, at least for the upper half of the kept
    # squares; 0 if it is reached, None if no number would


def estimate_precision(threshold: Threshold, evidence: Evidence, target: float) -> PrecisionEstimate:
    """Estimate with an interval the precision of the unlabelled squares that `threshold` keeps.

    In each stratum of scores, the labelled squares give the fraction on target (Jeffreys interval: L. Brown, T. Cai and
    A. DasGupta, "Interval Estimation for a Binomial Proportion", 2001), shifted like the probabilities; strata are
    weighted by how many kept squares they contain. The uncertainty of the class prior widens the interval. The interval
    is also valid for labels that were chosen by score or by label; it is then rather too wide than too narrow.

    Args:
        threshold: The threshold of the filter.
        evidence: Labelled and unlabelled squares.
        target: The precision to reach.
    """
    interval = precision_interval(threshold, evidence)
    if interval is None:
        return PrecisionEstimate(low=None, high=None, labels=labels_above(threshold, evidence), more=None)
    low, high = interval
    kept = evidence.shifted_unlabelled[evidence.shifted_unlabelled >= threshold.high]
    more = 0 if low >= target else _labels_needed(kept, target)
    return PrecisionEstimate(low=low, high=high, labels=labels_above(threshold, evidence), more=more)


def labels_above(threshold: Threshold, evidence: Evidence) -> int:
    """How many labelled squares have scores that would be kept."""
    return int((evidence.shifted >= threshold.high).sum())


def precision_interval(threshold: Threshold, evidence: Evidence) -> tuple[float, float] | None:
    """The interval of `estimate_precision`; None if no square without a label is kept."""
    scores, kept = evidence.shifted, evidence.shifted_unlabelled
    above, kept = scores >= threshold.high, kept[kept >= threshold.high]
    if not len(kept):
        return None
    further, random = evidence.uncertain_offset()
    draws = np.zeros(DRAWS)
    for low, high in _strata(threshold, kept, int(above.sum())):
        inside = above & (scores >= low) & (scores < high)
        on, total = (evidence.on & inside).sum(), inside.sum()
        stratum_precision = random.beta(on + 0.5, total - on + 0.5, DRAWS)
        draws += ((kept >= low) & (kept < high)).mean() * shift_logits(stratum_precision, evidence.offset + further)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def offset_uncertainty(evidence: Evidence, random: np.random.Generator) -> np.ndarray:
    """Random deviations of the offset in logits, (DRAWS,), because the class prior is uncertain.

    Where labels were chosen by score, the labels of a stratum are a random sample of it for any class prior.
    """
    priors = evidence.class_prior.draw(DRAWS, random)
    knots = np.quantile(priors, np.linspace(0, 1, KNOTS))
    return evidence.class_prior.chosen_by_label * (
        np.interp(priors, knots, logit_offsets(evidence.unlabelled, knots)) - evidence.offset
    )


def _strata(threshold: Threshold, kept: np.ndarray, labels: int) -> Iterator[tuple[float, float]]:
    """Lower and upper edges of score strata that contain equally many kept squares."""
    count = int(np.clip(labels // MIN_STRATUM_LABELS, 1, MAX_STRATA))
    return pairwise([threshold.high, *np.quantile(kept, np.arange(1, count) / count), np.inf])


def _labels_needed(kept: np.ndarray, target: float) -> int | None:
    """The smallest number of labels of kept squares that would confirm the precision `target`; None if none would.

    The labels may also cover only the upper part of the kept squares. They are assumed to turn out as the probabilities
    `kept` predict.
    """
    labels, needed = np.arange(1, MAX_EXTRA_LABELS), []
    for fraction in KEPT_FRACTIONS:
        expected = kept[kept >= np.quantile(kept, 1 - fraction)].mean()
        low = beta.ppf((1 - CONFIDENCE) / 2, labels * expected + 0.5, labels * (1 - expected) + 0.5)
        needed += labels[low >= target][:1].tolist()
    return min(needed, default=None)


def confusion(threshold: Threshold, evidence: Evidence) -> dict[str, Any]:
    """Confusion matrix of labelled squares by their out-of-fold scores; see `count_verdicts`."""
    return count_verdicts(threshold, evidence.shifted, evidence.on)


def count_verdicts(threshold: Threshold, shifted: np.ndarray, on: np.ndarray) -> dict[str, Any]:
    """How many squares of each label would be kept, borderline or rejected by their scores alone.

    Also the fraction of each label that is kept, with its interval.

    Args:
        threshold: The threshold of the filter.
        shifted: (L,) scores of models that did not train on these labels, shifted like the unlabelled squares.
        on: (L,) bool, the labels.
    """
    matrix: dict[str, Any] = {}
    for label, rows in (("on", on), ("off", ~on)):
        scores = shifted[rows]
        kept, rejected = int((scores >= threshold.high).sum()), int((scores < threshold.low).sum())
        matrix[label] = {"kept": kept, "unsure": len(scores) - kept - rejected, "rejected": rejected}
        matrix[f"{label}_kept"] = [round(value, 4) for value in jeffreys_interval(kept, len(scores))]
    return matrix


def jeffreys_interval(count: int, total: int) -> tuple[float, float, float]:
    """The fraction `count` / `total` and its Jeffreys interval; 0 to 1 if `total` is 0."""
    if not total:
        return 0.0, 0.0, 1.0
    low = beta.ppf((1 - CONFIDENCE) / 2, count + 0.5, total - count + 0.5) if count else 0.0
    high = beta.ppf((1 + CONFIDENCE) / 2, count + 0.5, total - count + 0.5) if count < total else 1.0
    return count / total, float(low), float(high)


def find_suspect_labels(labels: Mapping[str, str], scores: Mapping[str, float]) -> list[str]:
    """Find labels that are probably wrong, the most probable first; about half of them are, so a person decides.

    After C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021).

    Args:
        labels: 'on' or 'off' by id.
        scores: Out-of-fold probabilities by id.
    """
    from cleanlab.filter import find_label_issues

    ids = sorted(labels)
    classes = np.array([labels[id] == "on" for id in ids], int)
    if len(set(classes.tolist())) < 2:
        return []
    probabilities = np.array([scores[id] for id in ids])
    order = find_label_issues(
        classes,
        np.column_stack([1 - probabilities, probabilities]),
        return_indices_ranked_by="self_confidence",
        filter_by="confident_learning",
        n_jobs=1,
    )
    return [ids[index] for index in order]
