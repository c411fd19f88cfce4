"""What a classifier says of labelled pictures whose labels it did not know: the only honest figures there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.store import verified
from pipeline.store.jsonl import write_rows

HOLDOUT, OUT_OF_FOLD = "holdout.jsonl", "out_of_fold.jsonl"
MIDDLE = 0.5  # the threshold at which precision and recall are told; the filter draws its own line
LEAST = 3  # of each label, below which there is nothing to measure


def write_unseen(labels: Mapping[str, str], scores: Mapping[str, float], path: Path) -> None:
    """Leave a row {id, label, score} for each of `labels`, picture id to 'on' or 'off', at `path`."""
    write_rows(path, ({"id": id, "label": labels[id], "score": round(scores[id], 6)} for id in sorted(labels)))


def read_unseen(classifier: Path) -> dict[str, float]:
    """The probability of every labelled picture, by id, from the finished folder `classifier`."""
    return {row["id"]: row["score"] for name in (HOLDOUT, OUT_OF_FOLD) for row in verified.read_rows(classifier, name)}


def measure(labels: Mapping[str, str], scores: Mapping[str, float]) -> dict[str, Any]:
    """Average precision over `labels`, and precision and recall at `MIDDLE`; None where there is too little to tell."""
    ids = sorted(labels)
    on, found = np.array([labels[id] == "on" for id in ids]), np.array([scores[id] for id in ids])
    if min(on.sum(), (~on).sum()) < LEAST:
        return {"average_precision": None, "precision": None, "recall": None}
    kept = found >= MIDDLE
    return {
        "average_precision": round(float(average_precision_score(on, found)), 4),
        "precision": round(float(on[kept].mean()), 4) if kept.any() else None,
        "recall": round(float(kept[on].mean()), 4),
    }
