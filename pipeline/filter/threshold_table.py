"""What the filter would do at every threshold: how much it would keep, and how precise and complete that would be."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from pipeline.filter.recall import RecallEstimate, estimate_recall, expected_borderline
from pipeline.filter.scores import BORDERLINE, KEPT, REJECTED, Score
from pipeline.filter.threshold import (
    STEP,
    Evidence,
    PrecisionEstimate,
    Threshold,
    choose_threshold,
    evaluate_threshold,
    labels_above,
    precision_interval,
)
from pipeline.filter.threshold_row import ThresholdRow, rounded, row_of_summary


def threshold_table(evidence: Evidence, scores: Sequence[Score], band: float) -> list[ThresholdRow]:
    """A row for each threshold from 0 to 1 in steps of `STEP`, with the band `band` around it."""
    estimates, counts = Estimates(evidence), OutcomeCounts(scores)
    return [_row(estimates, counts, round(float(threshold), 6), band) for threshold in np.arange(0, 1 + STEP / 2, STEP)]


def threshold_row(evidence: Evidence, scores: Sequence[Score], threshold: float, band: float) -> ThresholdRow:
    """What `threshold` does to the squares of `scores`, by the estimators of the filter stage."""
    return _row(Estimates(evidence), OutcomeCounts(scores), threshold, band)


class Estimates:
    """Estimates of thresholds, each made once for all thresholds between two neighbouring scores."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._known: dict[tuple[int, int], tuple[tuple[float, float] | None, RecallEstimate | None]] = {}

    def of(self, threshold: Threshold) -> tuple[tuple[float, float] | None, RecallEstimate | None]:
        """The interval of the precision, and the recall."""
        kept = int((self.evidence.shifted_unlabelled >= threshold.high).sum())
        key = kept, labels_above(threshold, self.evidence)
        if key not in self._known:
            self._known[key] = (
                precision_interval(threshold, self.evidence),
                estimate_recall(threshold, self.evidence),
            )
        interval, recall = self._known[key]
        if recall is not None:  # the one figure that depends on the lower edge of the band
            recall = replace(recall, borderline=expected_borderline(threshold, self.evidence))
        return interval, recall


class OutcomeCounts:
    """Counts how many squares are kept, rejected and borderline: by their labels, others by their scores."""

    def __init__(self, scores: Sequence[Score]) -> None:
        free = [score.score for score in scores if score.label is None and score.score is not None]
        self.free = np.sort(np.array(free, float))
        self.on = sum(score.label == "on" for score in scores)
        self.off = len(scores) - len(free) - self.on  # labelled off target or skip

    def of(self, low: float, high: float) -> dict[str, int]:
        """The counts with a band from `low` to `high`."""
        below_low, below_high = np.searchsorted(self.free, [low, high]).tolist()
        kept, borderline = len(self.free) - below_high, max(below_high - below_low, 0)
        return {KEPT: kept + self.on, REJECTED: below_low + self.off, BORDERLINE: borderline}


def _row(estimates: Estimates, counts: OutcomeCounts, threshold: float, band: float) -> ThresholdRow:
    evidence = estimates.evidence
    decided = evaluate_threshold(evidence.shifted_unlabelled, threshold, band)
    interval, recall = estimates.of(decided)
    low, high = interval or (None, None)
    labels = labels_above(decided, evidence)
    summary = {
        **counts.of(decided.low, decided.high),
        "expected_precision": rounded(decided.precision),
        "expected_recall": rounded(decided.recall),
        "proof": _rounded_fields(PrecisionEstimate(low=low, high=high, labels=labels, more=None)),
        "recall": recall and _rounded_fields(recall),
        "threshold": threshold,
        "band": [decided.low, decided.high],
    }
    return row_of_summary(summary, counts.on)


def automatic_threshold(evidence: Evidence, precision: float, band: float) -> float:
    """The threshold that the stage would choose for the precision `precision`."""
    return round(choose_threshold(evidence.shifted_unlabelled, precision, band).threshold, 6)


def with_stage_row(table: Sequence[ThresholdRow], own: ThresholdRow) -> list[ThresholdRow]:
    """The table with `own`, the row of the finished stage, which the rounding of its files cannot change."""
    return [own if abs(row.threshold - own.threshold) < STEP / 1000 else row for row in table]


def _rounded_fields(estimate: PrecisionEstimate | RecallEstimate) -> dict[str, Any]:
    """The fields of an estimate as the summary of the stage has them."""
    return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(estimate).items()}
