"""How right the filter was, for the one subject whose truth is known: the embedded one."""

from collections.abc import Iterable
from typing import Any

from pipeline import demo


def against_truth(downloaded: Iterable[dict[str, Any]], scores: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Precision and recall of what was kept, over pictures that no hand labelled; None where no truth is known.

    `downloaded` are the rows of the download stage (url, id), `scores` those of the filter (id, label, outcome).
    """
    rows = [row for row in downloaded if row["engine"] == "demo" and row["outcome"] == "saved"]
    by_url = demo.truth(row["url"] for row in rows)
    truth = {row["id"]: by_url[row["url"]] for row in rows if row["url"] in by_url}
    judged = [(row["outcome"] == "kept", truth[row["id"]] == "on") for row in scores if _counts(row, truth)]
    if not judged:
        return None
    kept, on = sum(kept for kept, _ in judged), sum(on for _, on in judged)
    right = sum(kept and on for kept, on in judged)
    return {"pictures": len(judged), "precision": right / max(kept, 1), "recall": right / max(on, 1)}


def _counts(row: dict[str, Any], truth: dict[str, str]) -> bool:
    return row["label"] is None and row["id"] in truth
