"""What the labels prove about the filter: intervals for its precision, and how many more labels would show it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import beta

from pipeline.filter.share import Share, move, offsets
from pipeline.filter.threshold import Line

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
    share: Share  # of those that are on target

    @cached_property
    def offset(self) -> float:
        """By how much all probabilities are moved so that those of the pictures without a label have the right mean."""
        return float(offsets(self.free, np.array([self.share.mean]))[0]) if len(self.free) else 0.0

    @property
    def moved(self) -> np.ndarray:
        """The scores as the line is drawn for them."""
        return move(self.scores, self.offset)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is shown about the precision of what is kept without a label."""

    low: float | None  # the interval; None where nothing is kept
    high: float | None
    labels: int  # labelled pictures above the line, which it comes from
    more: int | None  # further ones that would lift the lower end to the wish, for the upper half of the kept at
    # least; 0 if it is there, None if no number would


def prove(line: Line, evidence: Evidence, wanted: float) -> Proof:
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
        return Proof(low=None, high=None, labels=int(above.sum()), more=None)
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
    return Proof(low=float(low), high=float(high), labels=int(above.sum()), more=more)


def _further(evidence: Evidence, random: np.random.Generator) -> np.ndarray:
    """How much further probabilities might have to be moved, (DRAWS,), as the share may be another. Where labels were
    chosen by score, those of a stratum are a fair sample of it, whatever the share."""
    shares = evidence.share.draw(DRAWS, random)
    known = np.quantile(shares, np.linspace(0, 1, KNOTS))
    return evidence.share.by_label * (np.interp(shares, known, offsets(evidence.free, known)) - evidence.offset)


def _strata(line: Line, kept: np.ndarray, labels: int) -> Iterator[tuple[float, float]]:
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


def confusion(line: Line, evidence: Evidence) -> dict[str, Any]:
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
