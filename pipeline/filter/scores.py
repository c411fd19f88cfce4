"""Scores on disk: of every square, with kept or rejected; and of labelled squares that the classifier did not train on.

The second kind are the only honest figures of a filter.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.store import verified
from pipeline.store.jsonl import write_rows

NAME = "scores.jsonl"
FEATURES = "features.npy"
KEPT, REJECTED, UNSURE = "kept", "rejected", "unsure"


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the filter found about one picture."""

    id: str
    # The probability that it is on target; of a labelled picture as a classifier says that does not know its label.
    # None when nothing was scored
    score: float | None
    label: str | None  # on, off, unsure
    outcome: str  # kept, rejected, unsure
    spread: float | None = None  # standard error of the score, as far as it comes from which labels there are; None
    # for labelled pictures
    suspect: bool = False  # the label does not go with what the classifier says, not knowing it


def write_scores(scores: Iterable[Score], folder: Path) -> None:
    """Leave `scores`, sorted by id, in `folder`."""
    write_rows(folder / NAME, (dataclasses.asdict(score) for score in sorted(scores, key=lambda score: score.id)))


def read_scores(folder: Path) -> list[Score]:
    """The scores in the finished filter folder `folder`, sorted by id; `DamagedState` if they are not those written."""
    return [Score(**row) for row in verified.read_rows(folder, NAME)]


def kept_ids(folder: Path) -> list[str]:
    """The ids of the pictures that the finished filter folder `folder` keeps, sorted."""
    return [score.id for score in read_scores(folder) if score.outcome == KEPT]


def read_features(folder: Path) -> np.ndarray | None:
    """Features by which pictures can be compared, (N, D) float16, in the order of `read_scores`; None where the
    finished filter folder `folder` holds none."""
    return verified.read_array(folder, FEATURES) if (folder / FEATURES).exists() else None


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
    from sklearn.metrics import average_precision_score  # takes a second to load; readers of scores do without

    kept = found >= MIDDLE
    return {
        "average_precision": round(float(average_precision_score(on, found)), 4),
        "precision": round(float(on[kept].mean()), 4) if kept.any() else None,
        "recall": round(float(kept[on].mean()), 4),
    }
