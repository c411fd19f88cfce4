"""How the labels and the kept squares of several runs or trainings differ: counts, and which squares."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.scores import KEPT
from pipeline.store import verified
from pipeline.store.artifacts import Artifact
from pipeline.store.jsonl import parse_row
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.trainings.comparison import Subject
from pipeline.web.trainings.history_bodies import LabelDifference, SquareDifference, SquareSetBody
from pipeline.web.trainings.runs_view import label_words, snapshot

SHOWN = 24  # squares of each kind
ID = "S64"  # 64 hex digits
DELETED_FILTER = "its filter was deleted to free space (gc), so nobody knows which squares it kept"
NO_FILTER = "it has no filter"
NO_LABELS = "the snapshot of its labels is gone"


def square_sets(paths: DatasetPaths, subjects: list[Subject]) -> list[SquareSetBody]:
    """Of each subject its labels and kept squares in words, and how they differ from those of the first one."""
    labels = [snapshot(paths, each.labels) if each.labels else None for each in subjects]
    kept = [_kept(each.filter) if each.filter else None for each in subjects]
    return [
        SquareSetBody(
            labels=_label_words(labels[at]),
            kept=_kept_words(each, kept[at]),
            label_changes=_label_changes(labels[0], labels[at]) if at else [],
            kept_before=_only(kept[0], kept[at]) if at else None,
            kept_now=_only(kept[at], kept[0]) if at else None,
        )
        for at, each in enumerate(subjects)
    ]


def _label_words(labels: Mapping[str, str] | None) -> str:
    return NO_LABELS if labels is None else label_words(labels.values())


def _kept_words(subject: Subject, kept: np.ndarray | None) -> str:
    if kept is not None:
        images = subject.filter.manifest.summary.get("images") if subject.filter else None
        return f"{len(kept):,} of {images:,}" if isinstance(images, int) else f"{len(kept):,}"
    return DELETED_FILTER if subject.run and "filter" in subject.run.keys else NO_FILTER


def _label_changes(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[LabelDifference]:
    """The labels that differ, by what they were and what they are, the most frequent change first."""
    if before is None or now is None:
        return []
    changed: dict[tuple[str, str], list[str]] = {}
    for id in sorted(before.keys() | now.keys()):
        if (old := before.get(id, "")) != (new := now.get(id, "")):
            changed.setdefault((old, new), []).append(id)
    found = [
        LabelDifference(before=old, after=new, count=len(ids), ids=ids[:SHOWN]) for (old, new), ids in changed.items()
    ]
    return sorted(found, key=lambda each: -each.count)


def _only(one: np.ndarray | None, other: np.ndarray | None) -> SquareDifference | None:
    """The squares that are kept in `one` and not in `other`, and some of them, evenly spaced; None: not known."""
    if one is None or other is None:
        return None
    ids = np.setdiff1d(one, other, assume_unique=True)
    some = ids[:: max(1, -(-len(ids) // SHOWN))]
    return SquareDifference(count=len(ids), ids=[id.decode() for id in some])


def _kept(filter: Artifact) -> np.ndarray | None:
    try:
        return _kept_ids(filter.folder, filter.manifest.created)
    except (DamagedState, KeyError):
        return None


@lru_cache(maxsize=12)  # 6 MB for 100,000 squares
def _kept_ids(folder: Path, created: str) -> np.ndarray:
    """The ids of the squares that a filter kept, sorted (N,) S64."""
    lines = verified.read_bytes(folder, "scores.jsonl").splitlines(keepends=True)
    rows = (parse_row(line, "scores.jsonl") for line in lines)
    return np.array(sorted(row["id"] for row in rows if row["outcome"] == KEPT), ID)
