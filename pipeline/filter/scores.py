"""Score files: of every square, with kept or rejected; and of labelled squares by a classifier that did not train on
them.

Only the second kind gives unbiased metrics of the filter.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.store import verified
from pipeline.store.jsonl import write_rows

FILE_NAME = "scores.jsonl"
FEATURES = "features.npy"
KEPT, REJECTED, BORDERLINE = "kept", "rejected", "unsure"


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The filter's verdict on one square."""

    id: str
    # The probability of being on target; of a labelled square by a classifier that did not train on its label. None
    # with method 'none'
    score: float | None
    label: str | None  # on, off, unsure (shown as skip)
    outcome: str  # kept, rejected, unsure (shown as borderline)
    spread: float | None = None  # standard error of the score, as far as it depends on which labels exist; None for
    # labelled squares
    suspect: bool = False  # the label contradicts the score, and may be wrong


def write_scores(scores: Iterable[Score], folder: Path) -> None:
    """Write `scores`, sorted by id, to `folder`."""
    write_rows(folder / FILE_NAME, (dataclasses.asdict(score) for score in sorted(scores, key=lambda score: score.id)))


def read_scores(folder: Path) -> list[Score]:
    """Read the scores in the finished filter folder `folder`, sorted by id; raises `DamagedState` if they were
    changed."""
    return list(iterate_scores(folder))


def iterate_scores(folder: Path) -> Iterator[Score]:
    """The scores of `read_scores` one by one, where they are not needed at once."""
    return (Score(**row) for row in verified.iterate_rows(folder, FILE_NAME))


def kept_ids(folder: Path) -> list[str]:
    """The sorted ids of the squares that the finished filter folder `folder` keeps."""
    return [score.id for score in iterate_scores(folder) if score.outcome == KEPT]


def read_features(folder: Path) -> np.ndarray | None:
    """Read the features that compare squares, (N, D) float16, in the order of `read_scores`; None if `folder` has
    none."""
    return verified.read_array(folder, FEATURES) if (folder / FEATURES).exists() else None


HOLDOUT, OUT_OF_FOLD = "holdout.jsonl", "out_of_fold.jsonl"
VALIDATION = "validation.jsonl"  # only if there is a validation set
METRICS_THRESHOLD = 0.5  # for precision and recall of the classifier; the filter chooses its own threshold
MIN_LABELS = 3  # of each kind; with fewer there is nothing to measure


def write_unseen(labels: Mapping[str, str], scores: Mapping[str, float], path: Path) -> None:
    """Write a row {id, label, score} for each of `labels`, square id to 'on' or 'off', to `path`."""
    write_rows(path, ({"id": id, "label": labels[id], "score": round(scores[id], 6)} for id in sorted(labels)))


def read_unseen(classifier: Path) -> dict[str, float]:
    """Read the probability of every labelled square, by id, from the finished classifier folder `classifier`."""
    return {row["id"]: row["score"] for name in (HOLDOUT, OUT_OF_FOLD) for row in verified.read_rows(classifier, name)}


def read_validation(classifier: Path) -> frozenset[str]:
    """Read the ids of the validation set that the finished classifier folder `classifier` was measured on."""
    known = (classifier / VALIDATION).exists()
    return frozenset(row["id"] for row in verified.read_rows(classifier, VALIDATION)) if known else frozenset()


def measure(labels: Mapping[str, str], scores: Mapping[str, float]) -> dict[str, Any]:
    """Average precision over `labels`, and precision and recall at `METRICS_THRESHOLD`; None with too few labels."""
    ids = sorted(labels)
    on, probabilities = np.array([labels[id] == "on" for id in ids], bool), np.array([scores[id] for id in ids])
    if min(on.sum(), (~on).sum()) < MIN_LABELS:
        return {"average_precision": None, "precision": None, "recall": None}
    # Here, because the import takes a second, and readers of scores do not need it
    from sklearn.metrics import average_precision_score

    kept = probabilities >= METRICS_THRESHOLD
    return {
        "average_precision": round(float(average_precision_score(on, probabilities)), 4),
        "precision": round(float(on[kept].mean()), 4) if kept.any() else None,
        "recall": round(float(kept[on].mean()), 4),
    }
