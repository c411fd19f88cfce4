"""The nearest reals of samples in the feature space of an extractor, and the rows of the file that has them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.neighbours import Neighbours, neighbours

NEIGHBOURS = "neighbours.jsonl"  # the file in the artifact of the stage generate
NEAREST = 5  # reals of each sample
DIGITS = 6  # of a distance: float32 has no more


def nearest_in_blocks(samples: np.ndarray, blocks: Iterable[np.ndarray]) -> Neighbours:
    """The reals nearest to each sample, at most `NEAREST`, by their features (N, D); those of the reals come in blocks
    (m, D), m at least 1, so that memory has one block at a time.
    """
    found = Neighbours(indices=np.empty((len(samples), 0), np.int64), distances=np.empty((len(samples), 0)))
    start = 0
    for block in blocks:
        near = neighbours(samples, block, count=min(NEAREST, len(block)))
        indices = np.hstack([found.indices, start + near.indices])
        distances = np.hstack([found.distances, near.distances])
        order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]  # of equally near ones the first
        found = Neighbours(
            indices=np.take_along_axis(indices, order, axis=1), distances=np.take_along_axis(distances, order, axis=1)
        )
        start += len(block)
    return found


def neighbour_rows(
    near: Neighbours, ids: Sequence[str], *, first: int = 0, classes: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """A row {sample, nearest} for each sample, of which the first has the number `first`; `ids` are those of the reals.

    `nearest` has an {id, distance} for each real, the nearest first. With the `classes` of the samples, if these have
    some, a row has its `class` too.
    """
    pairs = zip(near.indices, near.distances, strict=True)
    for number, (indices, distances) in enumerate(pairs, start=first):
        nearest = [
            {"id": ids[index], "distance": float(f"{distance:.{DIGITS}g}")}
            for index, distance in zip(indices, distances, strict=True)
        ]
        about = {"class": classes[number - first]} if classes else {}
        yield {"sample": number, **about, "nearest": nearest}
