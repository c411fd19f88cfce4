"""What the filter would do at every threshold: how much it would keep, and how precise and complete that would be."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.filter.recall import RecallEstimate, estimate_recall
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
from pipeline.filter.threshold_row import ThresholdRow, rounded, row_of_summary


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
        "expected_precision": rounded(decided.precision),
        "expected_recall": rounded(decided.recall),
        "proof": _rounded_fields(PrecisionEstimate(low=low, high=high, labels=labels, more=None)),
        "recall": recall and _rounded_fields(recall),
        "threshold": threshold,
        "band": [decided.low, decided.high],
    }
    return row_of_summary(summary, sum(score.label == "on" for score in scores))


def automatic_threshold(evidence: Evidence, precision: float, band: float) -> float:
    """The threshold that the stage would choose for the precision `precision`."""
    return round(choose_threshold(evidence.shifted_unlabelled, precision, band).threshold, 6)


def with_stage_row(table: Sequence[ThresholdRow], own: ThresholdRow) -> list[ThresholdRow]:
    """The table with `own`, the row of the finished stage, which the rounding of its files cannot change."""
    return [own if abs(row.threshold - own.threshold) < STEP / 1000 else row for row in table]


def count_outcomes(scores: Sequence[Score], low: float, high: float) -> dict[str, int]:
    """How many squares are kept, rejected and borderline with this band: by their labels, others by their scores."""
    free = np.array([score.score for score in scores if score.label is None and score.score is not None])
    on = sum(score.label == "on" for score in scores)
    kept, rejected = int((free >= high).sum()), int((free < low).sum())
    labelled_off = len(scores) - len(free) - on
    return {KEPT: kept + on, REJECTED: rejected + labelled_off, BORDERLINE: len(free) - kept - rejected}


def _rounded_fields(estimate: PrecisionEstimate | RecallEstimate) -> dict[str, Any]:
    """The fields of an estimate as the summary of the stage has them."""
    return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(estimate).items()}
