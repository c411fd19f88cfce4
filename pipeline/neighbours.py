"""Distances and nearest neighbours in feature space, for every package that compares pictures by features.

Not here: hashes, which differ in bits and have an index of their own (`images.hashing`), and the graph of label
propagation (`filter.kernel`), which takes similarities from a matrix that it needs whole.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The points nearest to each of N others, the nearest first; of equally near ones the one with the lower index."""

    indices: np.ndarray  # (N, count) int, of the others
    distances: np.ndarray  # (N, count) Euclidean


def neighbours(points: np.ndarray, others: np.ndarray | None = None, *, count: int) -> Neighbours:
    """The `count` nearest of `others` (M, D) to each of `points` (N, D); without `others`, of the other points.

    Distances are computed block by block, so memory does not grow with N times M; there must be `count` to choose from.
    """
    from sklearn.metrics import pairwise_distances_chunked  # takes a second to load, and not all users come this far

    alone = others is None

    def nearest(distances: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        if alone:  # no point is its own neighbour
            rows = np.arange(len(distances))
            distances[rows, start + rows] = np.inf
        indices = _smallest(distances, count)
        return indices, np.take_along_axis(distances, indices, axis=1)

    parts = list(pairwise_distances_chunked(points, others, reduce_func=nearest))
    indices, distances = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    return Neighbours(indices=indices, distances=distances)


def _smallest(rows: np.ndarray, count: int) -> np.ndarray:
    """The first `count` columns of a stable argsort of each of `rows` (N, M), in a fraction of its time."""
    count = min(count, rows.shape[1])
    low = rows <= np.partition(rows, count - 1, axis=1)[:, count - 1 : count]  # `count` in each row, or more if equal
    row, column = low.nonzero()
    order = np.lexsort((rows[row, column], row))  # stable: columns stay in order where values are equal
    firsts = np.cumsum(low.sum(axis=1)) - low.sum(axis=1)
    return column[order][firsts[:, np.newaxis] + np.arange(count)]


def squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The squared Euclidean distances (N, M) between (N, D) and (M, D), in their own precision.

    Float32 is twice as fast as float64, and exact to about six digits of the points' squared lengths.
    """
    squares = (left**2).sum(axis=1)[:, np.newaxis] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.maximum(squares, 0)
