"""Estimate the filter's recall with an interval: how many on-target squares are kept, and how many are lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.filter.calibration import shift_logits
from pipeline.filter.threshold import CONFIDENCE, DRAWS, Evidence, Threshold

ERROR_STD = 2.0  # of the calibrated probabilities of a stratum, in logits, before its labels are seen
ERRORS = np.linspace(-8, 8, 161)
# Of a label in the posterior distribution, because its square was scored by another model, which did not train on it.
# With 1 the interval contains the true recall in 83 of 100 cases of benchmarks/filter_recall.py, with 0.3 in 91
LABEL_WEIGHT = 0.3
MIN_STRATUM_LABELS = 8  # labelled squares that each stratum needs
MAX_STRATA = 4  # on each side of the threshold
SAMPLE = 20  # probabilities that stand for those of a stratum


@dataclass(frozen=True, kw_only=True)
class RecallEstimate:
    """The recall of unlabelled squares with its interval, in fractions and in squares."""

    low: float  # lower end of the interval of the fraction of on-target squares that are kept
    high: float
    labels: int  # labelled squares that it is estimated from
    missed: int  # expected on-target squares without a label that are not kept
    missed_low: int
    missed_high: int
    borderline: int  # of `missed`, those that are borderline; the others are rejected


def estimate_recall(threshold: Threshold, evidence: Evidence) -> RecallEstimate | None:
    """Estimate with an interval the recall of `threshold` on the squares without a label; None if there are none.

    The squares are divided into strata of the score. In each stratum the probabilities have one error, in logits. Its
    posterior distribution comes from a normal prior and from the labels of the stratum, each compared with its own
    probability. Errors and numbers of on-target squares are drawn, each draw gives a recall, and the interval is
    between quantiles of these (W. Webber, "Approximate Recall Confidence Intervals", ACM TOIS 31(1), 2013, whose prior
    is a beta distribution). Each draw also shifts all strata to a class prior that is drawn, as the fraction of
    on-target squares is not known.
    """
    scores, unlabelled = evidence.shifted, evidence.shifted_unlabelled
    if not len(unlabelled) or unlabelled.sum() <= 0:
        return None
    further, random = evidence.uncertain_offset()
    kept, missed = np.zeros(DRAWS), np.zeros(DRAWS)
    for low, high in _strata(threshold.high, scores, unlabelled):
        labelled, inside = (scores >= low) & (scores < high), (unlabelled >= low) & (unlabelled < high)
        count = int(inside.sum())
        if not count:
            continue
        error = _calibration_error(evidence.on[labelled], scores[labelled], random)
        found = random.binomial(count, _mean_shifted(unlabelled[inside], error + further))
        if low >= threshold.high:
            kept += found
        else:
            missed += found
    recall = kept / np.maximum(kept + missed, 1)
    low, high = np.quantile(recall, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    missed_low, missed_high = np.quantile(missed, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    expected_missed = float(unlabelled[unlabelled < threshold.high].sum())
    expected = 1 - expected_missed / float(unlabelled.sum())
    return RecallEstimate(  # the interval contains the expected value
        low=min(float(low), expected),
        high=max(float(high), expected),
        labels=len(scores),
        missed=round(expected_missed),
        missed_low=min(int(missed_low), round(expected_missed)),
        missed_high=max(int(missed_high), round(expected_missed)),
        borderline=expected_borderline(threshold, evidence),
    )


def expected_borderline(threshold: Threshold, evidence: Evidence) -> int:
    """How many squares within the band are expected to be on target."""
    unlabelled = evidence.shifted_unlabelled
    return round(float(unlabelled[(unlabelled >= threshold.low) & (unlabelled < threshold.high)].sum()))


def _strata(edge: float, scores: np.ndarray, unlabelled: np.ndarray) -> Iterator[tuple[float, float]]:
    """Lower and upper edges of score strata on both sides of `edge`, with about equally many labels on each side."""
    for low, high in ((-np.inf, edge), (edge, np.inf)):
        inside = np.sort(scores[(scores >= low) & (scores < high)])
        count = int(np.clip(len(inside) // MIN_STRATUM_LABELS, 1, MAX_STRATA))
        inner = np.quantile(inside, np.arange(1, count) / count) if count > 1 else []
        yield from pairwise([low, *inner, high])


def _calibration_error(on: np.ndarray, scores: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw the error of the probabilities of a stratum, in logits, (DRAWS,), from its posterior distribution.

    Each label is compared with its own probability, so the labels need not be a random sample of the stratum.
    """
    probabilities = shift_logits(scores, ERRORS[:, np.newaxis])  # (E, L)
    likelihood = np.log(np.where(on, probabilities, 1 - probabilities)).sum(axis=1)
    log_posterior = LABEL_WEIGHT * likelihood - (ERRORS / ERROR_STD) ** 2 / 2
    posterior = np.exp(log_posterior - log_posterior.max())
    return random.choice(ERRORS, DRAWS, p=posterior / posterior.sum())


def _mean_shifted(probabilities: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The mean of `probabilities` (N,) after a shift by each of `offsets` (S,) in logits; (S,)."""
    sample = np.quantile(probabilities, (np.arange(SAMPLE) + 0.5) / SAMPLE)
    return shift_logits(sample, offsets[:, np.newaxis]).mean(axis=1)
