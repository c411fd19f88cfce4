"""What one threshold does, in numbers and words. Loads no library, so a page can show the filter as it is at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.filter.scores import BORDERLINE, KEPT, REJECTED
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
        precision=rounded(precision),
        precision_low=rounded(proof.get("low")),
        precision_high=rounded(proof.get("high")),
        recall=rounded(summary.get("expected_recall")),
        recall_low=rounded(recall.get("low")),
        recall_high=rounded(recall.get("high")),
        wrong=wrong,
        missed=recall.get("missed", 0),
        words=(precision_words(summary), recall_words(summary), wrong_words(wrong, summary[KEPT])),
    )


def rounded(value: float | None) -> float | None:
    """A fraction to the digits that a summary has."""
    return None if value is None else round(value, DIGITS)
