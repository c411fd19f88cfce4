"""What the filter's folder says: a score for every picture, and which are kept."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
