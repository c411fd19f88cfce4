"""What the labels prove about the filter: intervals for its precision, and how many more labels would show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import beta

from pipeline.filter.calibration import shift
from pipeline.filter.threshold import Line

SURE = 0.9  # of all intervals: their lower end is passed in 95 of 100 cases
DRAWS = 4000
STRATUM = 15  # labelled pictures that a stratum needs to have a say of its own
STRATA = 3
MOST = 5000  # labels: who is told that more are needed will rather change the wish
PARTS = 1.0, 0.75, 0.5  # of the kept, those with the highest scores: less is hardly a set to train with


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled pictures as the classifier sees them without knowing their labels."""

    scores: np.ndarray  # (L,) probabilities where the share `prior` is on target
    on: np.ndarray  # (L,) bool
    prior: float  # the share of on-target pictures among the labelled
    share: float  # the share among the pictures without a label

    @property
    def shifted(self) -> np.ndarray:
        """The scores as they are among the pictures without a label, which the line is drawn for."""
        return shift(self.scores, self.prior, self.share)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is shown about the precision of what is kept without a label."""

    low: float | None  # the interval; None where nothing is kept
    high: float | None
    labels: int  # labelled pictures above the line, which it comes from
    more: int | None  # further ones that would lift the lower end to the wish, for the upper half of the kept at
    # least; 0 if it is there, None if no number would


def prove(line: Line, kept: np.ndarray, labelled: Labelled, wanted: float) -> Proof:
    """How surely the pictures without a label that `line` keeps, with probabilities `kept` (K,), reach `wanted`.

    In each stratum of scores the labelled pictures say how often such a picture is on target (Jeffreys' interval, L.
    Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", 2001); labels are more often on
    than pictures are, or less, which is taken out by Bayes' rule; strata count by how many of the kept lie in them. So
    it does not matter that people label where the filter is unsure.
    """
    above = labelled.shifted >= line.high
    count = int(above.sum())
    if not len(kept):
        return Proof(low=None, high=None, labels=count, more=None)
    draws = _precisions(line, kept, labelled, above)
    low, high = np.quantile(draws, [(1 - SURE) / 2, (1 + SURE) / 2])
    more = 0 if low >= wanted else _more(kept, labelled, wanted)
    return Proof(low=float(low), high=float(high), labels=count, more=more)


def _precisions(line: Line, kept: np.ndarray, labelled: Labelled, above: np.ndarray) -> np.ndarray:
    """Precisions (DRAWS,) that are likely, drawn at random, always the same."""
    random = np.random.default_rng(0)
    strata = int(np.clip(above.sum() // STRATUM, 1, STRATA))
    edges = [line.high, *np.quantile(kept, np.arange(1, strata) / strata), np.inf]
    total = np.zeros(DRAWS)
    for low, high in pairwise(edges):
        inside = above & (labelled.shifted >= low) & (labelled.shifted < high)
        right, all_ = (labelled.on & inside).sum(), inside.sum()
        share = random.beta(right + 0.5, all_ - right + 0.5, DRAWS)
        weight = ((kept >= low) & (kept < high)).mean()
        total += weight * shift(share, labelled.prior, labelled.share)
    return total


def _more(kept: np.ndarray, labelled: Labelled, wanted: float) -> int | None:
    """The fewest further labels of kept pictures, or of the upper part of them, until the lower end reaches `wanted`
    there, if they turn out as the scores promise."""
    further = np.arange(1, MOST)
    found = []
    for part in PARTS:
        least = np.quantile(kept, 1 - part)
        right = shift(kept[kept >= least].mean(), labelled.share, labelled.prior)  # as often among labelled pictures
        total = further + (labelled.shifted >= least).sum()
        low = beta.ppf((1 - SURE) / 2, total * right + 0.5, total * (1 - right) + 0.5)
        found += further[shift(low, labelled.prior, labelled.share) >= wanted][:1].tolist()
    return min(found, default=None)


def confusion(line: Line, labelled: Labelled) -> dict[str, Any]:
    """How many pictures of each label the line keeps, rejects and is unsure of, not knowing the labels; and the share
    of each that it keeps, with its interval."""
    found: dict[str, Any] = {}
    for label, which in (("on", labelled.on), ("off", ~labelled.on)):
        scores = labelled.shifted[which]
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
