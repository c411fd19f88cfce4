"""The filter's figures in words, for the console, the label page and the report: precision, recall, what would help.

All read the summary in the manifest of the filter stage; a summary of an earlier version, or of a filter that keeps
every square, has no words.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.text import counted

Summary = Mapping[str, Any]


def kept_from(summary: Summary) -> float | None:
    """The score from which squares are kept, the one number that people are shown; None if every square is kept."""
    band = summary.get("band")
    return band[1] if band else None


def precision_words(summary: Summary) -> str:
    """The expected precision with its interval; empty if nothing is kept by its score."""
    estimate, precision = summary.get("proof"), summary.get("expected_precision")
    if not estimate or precision is None or estimate["low"] is None:
        return ""
    return (
        f"filter precision about {precision:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f} by"
        f" {counted(estimate['labels'], 'label')})"
    )


def unconfirmed_words(estimate: Summary, *, target: float, score: float, most: int) -> str:
    """The notice that the precision `target` is expected of the squares above `score`, but not confirmed by labels.

    `estimate` has `low`, `high`, `labels` and `more`: how many labels would confirm it, None if more than `most`.
    """
    more = counted(estimate["more"] or most, "more label")
    return (
        f"precision {target:g} is expected but not confirmed yet: {counted(estimate['labels'], 'label')} above"
        f" {score:.3f} {'gives' if estimate['labels'] == 1 else 'give'} {estimate['low']:.2f} to"
        f" {estimate['high']:.2f}; {'about' if estimate['more'] else 'more than'} {more} of squares with high scores"
        " would confirm it"
    )


def recall_words(summary: Summary) -> str:
    """The expected recall with its interval, and how many on-target squares are lost; empty if it is not known."""
    estimate, recall = summary.get("recall"), summary.get("expected_recall")
    if not estimate or recall is None:
        return ""
    return (
        f"filter recall about {recall:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f} by"
        f" {counted(estimate['labels'], 'label')}): {_lost_words(estimate)}"
    )


def _lost_words(estimate: Summary) -> str:
    rejected = estimate["missed"] - estimate["borderline"]
    if not estimate["missed"]:
        return "hardly any on-target square is rejected"
    lost = f"about {rejected} on-target {'square is' if rejected == 1 else 'squares are'} rejected"
    return lost + (f", about {estimate['borderline']} borderline" if estimate["borderline"] else "")


def wrong_words(wrong: int, kept: int) -> str:
    """How many of the `kept` squares are expected to be off target; empty if nothing is kept."""
    if not kept:
        return ""
    if not wrong:
        return "hardly any of the kept squares is off target"
    return f"about {wrong:,} of the kept squares {'is' if wrong == 1 else 'are'} off target"


def validation_words(summary: Summary) -> str:
    """What the filter would decide about the validation set; empty if there is none."""
    found = summary.get("validation")
    if not found:
        return ""
    texts = []
    for label, name in (("on", "on target"), ("off", "off target")):
        share, low, high = found[f"{label}_kept"]
        if total := sum(found[label].values()):
            texts.append(f"{found[label]['kept']} of {total} {name} ({share:.3f}, {low:.3f} to {high:.3f})")
    return f"of the validation set it would keep {' and '.join(texts)}"


def advice_words(summary: Summary) -> str:
    """What would raise the recall, the most effective first; empty if it is high already."""
    advice = summary.get("raise_recall") or []
    texts = [str(each["text"]) for each in advice]
    return f"more on-target squares would be kept with {'; or with '.join(texts)}" if texts else ""
