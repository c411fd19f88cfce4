"""Choose the threshold between kept and rejected, and estimate the filter's precision with an interval.

It also tells how many more labels would prove a precision, and which labels are probably wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import beta

from pipeline.filter.calibration import ClassPrior, move, offsets

# The line keeps at least this share of the pictures thought to be on target: without it, a wish for more precision
# than the classifier can give would be met by keeping one picture, or none
LEAST_RECALL = 0.1
# However easy the subject, a picture that is more likely off than on is not kept to fill up the precision wished for.
# Only where the wish is out of reach the line may lie lower, so that something is kept
LEAST_LIKELY = 0.5
HIGHEST = 0.99  # score that the band may ask for
STEP = 0.005  # between the thresholds that are tried: a person can read them


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A threshold, the band around it, and what it should mean for the pictures without a label.

    Kept is what scores `high` or more, rejected what scores less than `low`. Precision is None when nothing is kept.
    """

    threshold: float
    low: float
    high: float
    precision: float | None  # share of the kept that is on target
    recall: float | None  # share of the on-target that is kept


def choose_threshold(probabilities: np.ndarray, precision: float, band: float) -> Threshold:
    """The lowest threshold, `LEAST_LIKELY` at least, at which the kept reach `precision`; if that keeps less than
    `LEAST_RECALL`, the highest that keeps as much.

    `probabilities` (N,) are those of pictures without a label; a set's precision is expected to be their mean over it.
    `band` is how far on either side of the threshold a score is unsure.
    """
    if not len(probabilities):
        return evaluate_threshold(probabilities, LEAST_LIKELY, band)
    falling = np.sort(probabilities)[::-1]
    gained = np.concatenate([[0.0], np.cumsum(falling)])
    tried = np.arange(0, 1, STEP).round(6)
    kept = np.searchsorted(-falling, -_upper(tried, band), side="right")
    found = gained[kept] / np.maximum(kept, 1)
    much = (kept > 0) & (gained[kept] >= LEAST_RECALL * gained[-1])
    if not much.any():  # no score is beyond the band of even the lowest threshold: nothing here is on target
        return evaluate_threshold(probabilities, LEAST_LIKELY, band)
    enough = (much & (found >= precision) & (tried >= LEAST_LIKELY)).nonzero()[0]
    threshold = tried[enough[0]] if len(enough) else tried[much.nonzero()[0][-1]]
    return evaluate_threshold(probabilities, float(threshold), band)


def evaluate_threshold(probabilities: np.ndarray, threshold: float, band: float) -> Threshold:
    """What that threshold should mean."""
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
    """The upper edge of the band: never so high that no score would reach it."""
    return np.minimum(threshold + band, np.maximum(threshold, HIGHEST))


SURE = 0.9  # of all intervals: their lower end is passed in 95 of 100 cases
DRAWS, KNOTS = 4000, 40
STRATUM = 15  # labelled pictures that a stratum needs to have a say of its own
STRATA = 3
MOST = 5000  # labels: who is told that more are needed will rather change the wish
PARTS = 1.0, 0.75, 0.5  # of the kept, those with the highest scores: less is hardly a set to train with


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What there is to prove with."""

    scores: np.ndarray  # (L,) probabilities of labelled pictures by a classifier that did not know their labels
    on: np.ndarray  # (L,) bool
    free: np.ndarray  # (N,) probabilities of the pictures without a label
    share: ClassPrior  # of those that are on target

    @cached_property
    def offset(self) -> float:
        """By how much all probabilities are moved so that those of the pictures without a label have the right mean."""
        return float(offsets(self.free, np.array([self.share.mean]))[0]) if len(self.free) else 0.0

    @property
    def moved(self) -> np.ndarray:
        """The scores as the line is drawn for them."""
        return move(self.scores, self.offset)


@dataclass(frozen=True, kw_only=True)
class PrecisionEstimate:
    """What is shown about the precision of what is kept without a label."""

    low: float | None  # the interval; None where nothing is kept
    high: float | None
    labels: int  # labelled pictures above the line, which it comes from
    more: int | None  # further ones that would lift the lower end to the wish, for the upper half of the kept at
    # least; 0 if it is there, None if no number would


def estimate_precision(line: Threshold, evidence: Evidence, wanted: float) -> PrecisionEstimate:
    """How surely the pictures without a label that `line` keeps reach the precision `wanted`.

    In each stratum of scores the labelled pictures say how often such a picture is on target (Jeffreys' interval, L.
    Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", 2001), moved as the probabilities
    are; strata count by how many of the kept lie in them. That the share of on-target pictures is itself not known for
    certain widens the interval. Where labels were chosen by score or by label it holds all the same, and is rather too
    wide than too narrow.
    """
    scores, kept = evidence.moved, move(evidence.free, evidence.offset)
    above, kept = scores >= line.high, kept[kept >= line.high]
    if not len(kept):
        return PrecisionEstimate(low=None, high=None, labels=int(above.sum()), more=None)
    random = np.random.default_rng(0)
    further = _further(evidence, random)
    draws = np.zeros(DRAWS)
    for low, high in _strata(line, kept, int(above.sum())):
        inside = above & (scores >= low) & (scores < high)
        right, all_ = (evidence.on & inside).sum(), inside.sum()
        found = random.beta(right + 0.5, all_ - right + 0.5, DRAWS)
        draws += ((kept >= low) & (kept < high)).mean() * move(found, evidence.offset + further)
    low, high = np.quantile(draws, [(1 - SURE) / 2, (1 + SURE) / 2])
    more = 0 if low >= wanted else _more(kept, wanted)
    return PrecisionEstimate(low=float(low), high=float(high), labels=int(above.sum()), more=more)


def _further(evidence: Evidence, random: np.random.Generator) -> np.ndarray:
    """How much further probabilities might have to be moved, (DRAWS,), as the share may be another. Where labels were
    chosen by score, those of a stratum are a fair sample of it, whatever the share."""
    shares = evidence.share.draw(DRAWS, random)
    known = np.quantile(shares, np.linspace(0, 1, KNOTS))
    return evidence.share.by_label * (np.interp(shares, known, offsets(evidence.free, known)) - evidence.offset)


def _strata(line: Threshold, kept: np.ndarray, labels: int) -> Iterator[tuple[float, float]]:
    """Lower and upper edges of scores; of as many kept pictures each."""
    strata = int(np.clip(labels // STRATUM, 1, STRATA))
    return pairwise([line.high, *np.quantile(kept, np.arange(1, strata) / strata), np.inf])


def _more(kept: np.ndarray, wanted: float) -> int | None:
    """The fewest labels of kept pictures, or of the upper part of them, that show the precision `wanted` there by
    themselves, if they turn out as their probabilities `kept` promise."""
    labels, found = np.arange(1, MOST), []
    for part in PARTS:
        right = kept[kept >= np.quantile(kept, 1 - part)].mean()
        low = beta.ppf((1 - SURE) / 2, labels * right + 0.5, labels * (1 - right) + 0.5)
        found += labels[low >= wanted][:1].tolist()
    return min(found, default=None)


def confusion(line: Threshold, evidence: Evidence) -> dict[str, Any]:
    """How many pictures of each label the line keeps, rejects and is unsure of, not knowing the labels; and the share
    of each that it keeps, with its interval."""
    found: dict[str, Any] = {}
    for label, which in (("on", evidence.on), ("off", ~evidence.on)):
        scores = evidence.moved[which]
        kept, rejected = int((scores >= line.high).sum()), int((scores < line.low).sum())
        found[label] = {"kept": kept, "unsure": len(scores) - kept - rejected, "rejected": rejected}
        found[f"{label}_kept"] = [round(value, 4) for value in interval(kept, len(scores))]
    return found


def interval(count: int, total: int) -> tuple[float, float, float]:
    """The share `count` / `total` and Jeffreys' interval for it; 0 to 1 where there is nothing to tell."""
    if not total:
        return 0.0, 0.0, 1.0
    low = beta.ppf((1 - SURE) / 2, count + 0.5, total - count + 0.5) if count else 0.0
    high = beta.ppf((1 + SURE) / 2, count + 0.5, total - count + 0.5) if count < total else 1.0
    return count / total, float(low), float(high)


def suspects(labels: Mapping[str, str], scores: Mapping[str, float]) -> list[str]:
    """The ids of labels, 'on' or 'off', that are likely wrong, the likeliest first, by what was said of them out of
    fold (C. Northcutt, L. Jiang and I. Chuang, "Confident Learning", 2021). About half of such are: a person decides.
    """
    from cleanlab.filter import find_label_issues

    ids = sorted(labels)
    given = np.array([labels[id] == "on" for id in ids], int)
    if len(set(given.tolist())) < 2:
        return []
    said = np.array([scores[id] for id in ids])
    order = find_label_issues(
        given,
        np.column_stack([1 - said, said]),
        return_indices_ranked_by="self_confidence",
        filter_by="confident_learning",
        n_jobs=1,
    )
    return [ids[place] for place in order]
