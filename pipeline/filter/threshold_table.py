"""What the filter would do at every threshold: how much it would keep, and how precise and complete that would be."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pipeline.filter.recall import estimate_recall
from pipeline.filter.scores import BORDERLINE, KEPT, REJECTED, Score
from pipeline.filter.threshold import (
    STEP,
    Evidence,
    PrecisionEstimate,
    choose_threshold,
    evaluate_threshold,
    labels_above,
    precision_interval,
)
from pipeline.filter.words import precision_words, recall_words, wrong_words

DIGITS = 4  # of fractions, as in the summary of the stage


@dataclass(frozen=True, kw_only=True)
class ThresholdRow:
    """What one threshold does. `words` are sentences: the precision, the recall, what is lost, what is wrongly kept."""

    threshold: float
    low: float  # squares below are rejected
    high: float  # squares from here are kept
    kept: int
    rejected: int
    borderline: int
    precision: float | None  # expected; of kept squares without a label
    precision_low: float | None
    precision_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    wrong: int  # expected squares that are kept and off target
    missed: int  # expected squares that are on target and not kept
    words: tuple[str, ...]


def threshold_table(evidence: Evidence, scores: Sequence[Score], band: float) -> list[ThresholdRow]:
    """A row for each threshold from 0 to 1 in steps of `STEP`, with the band `band` around it."""
    return [threshold_row(evidence, scores, round(float(each), 6), band) for each in np.arange(0, 1 + STEP / 2, STEP)]


def threshold_row(evidence: Evidence, scores: Sequence[Score], threshold: float, band: float) -> ThresholdRow:
    """What `threshold` does to the squares of `scores`, by the estimators of the filter stage."""
    decided = evaluate_threshold(evidence.shifted_unlabelled, threshold, band)
    low, high = precision_interval(decided, evidence) or (None, None)
    labels = labels_above(decided, evidence)
    recall = estimate_recall(decided, evidence)
    summary = {
        **count_outcomes(scores, decided.low, decided.high),
        "expected_precision": decided.precision,
        "expected_recall": decided.recall,
        "proof": asdict(PrecisionEstimate(low=low, high=high, labels=labels, more=None)),
        "recall": recall and asdict(recall),
        "threshold": threshold,
        "band": [decided.low, decided.high],
    }
    return row_of_summary(summary, sum(score.label == "on" for score in scores))


def row_of_summary(summary: Mapping[str, Any], labelled_on: int) -> ThresholdRow:
    """The row of a filter by its own summary, which holds what the stage found; `labelled_on` of its squares are kept
    because of their labels."""
    proof, recall = summary.get("proof") or {}, summary.get("recall") or {}
    precision = summary.get("expected_precision")
    wrong = round((1 - precision) * (summary[KEPT] - labelled_on)) if precision is not None else 0
    return ThresholdRow(
        threshold=summary["threshold"],
        low=summary["band"][0],
        high=summary["band"][1],
        kept=summary[KEPT],
        rejected=summary[REJECTED],
        borderline=summary[BORDERLINE],
        precision=_rounded(precision),
        precision_low=_rounded(proof.get("low")),
        precision_high=_rounded(proof.get("high")),
        recall=_rounded(summary.get("expected_recall")),
        recall_low=_rounded(recall.get("low")),
        recall_high=_rounded(recall.get("high")),
        wrong=wrong,
        missed=recall.get("missed", 0),
        words=(precision_words(summary), recall_words(summary), wrong_words(wrong, summary[KEPT])),
    )


def automatic_threshold(evidence: Evidence, precision: float, band: float) -> float:
    """The threshold that the stage would choose for the precision `precision`."""
    return round(choose_threshold(evidence.shifted_unlabelled, precision, band).threshold, 6)


def with_stage_row(table: Sequence[ThresholdRow], own: ThresholdRow) -> list[ThresholdRow]:
    """The table with `own`, the row of the finished stage, which the rounding of its files cannot change."""
    return [replace(own) if abs(row.threshold - own.threshold) < STEP / 1000 else row for row in table]


def count_outcomes(scores: Sequence[Score], low: float, high: float) -> dict[str, int]:
    """How many squares are kept, rejected and borderline with this band: by their labels, others by their scores."""
    free = np.array([score.score for score in scores if score.label is None and score.score is not None])
    on = sum(score.label == "on" for score in scores)
    kept, rejected = int((free >= high).sum()), int((free < low).sum())
    labelled_off = len(scores) - len(free) - on
    return {KEPT: kept + on, REJECTED: rejected + labelled_off, BORDERLINE: len(free) - kept - rejected}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
