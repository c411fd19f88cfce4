"""Whether samples are copies of the reals that the generator learnt from."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

# A sample is a copy if its nearest real is nearer than CLOSE of the way from that real to its NEIGHBOUR-th nearest.
# Measured on photographs and drawings of three subjects, with histograms and MobileNet: so near are 99 in 100 copies
# that were moved by 2 px of 64, 3 in 4 that were bent, and 1 in 100 new pictures; the average of all reals, to which
# generators collapse, stays at .85 and more. Near-duplicates among the reals, up to so many of one, leave it as it is.
# Histograms do not know a mirror image again; MobileNet does.
CLOSE, NEIGHBOUR = 0.6, 5
LEAST = 0.2  # below this share of known reals the figure would be mostly noise


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The reals nearest to each of some pictures (N), the nearest first."""

    places: np.ndarray  # (N, count), in the reals
    distances: np.ndarray  # (N, count)


class Copies:
    """Tells what of samples is copied from reals, by the features (N, D) of more than NEIGHBOUR + 1 reals."""

    def __init__(self, reals: np.ndarray) -> None:
        self.reals = reals
        self._near = neighbours(reals, count=NEIGHBOUR + 1)
        self.expected = float(self._held_out().mean())  # share of new pictures that look like copies

    def share(self, samples: np.ndarray, *, known: float = 1.0) -> float:
        """The share, in [0, 1], of samples (M, D) that are copies; about 0 if they are new, whether good or bad.

        Each real in its turn, measured against the others, says how often a new picture looks like a copy (that is
        the usual test: generated to train against held-out to train). Only what goes beyond that counts. `known` is
        the share of the reals learnt from that are among `reals`: copies of the others look new.
        """
        found = neighbours(samples, self.reals, count=1)
        places, distances = found.places[:, 0], found.distances[:, 0]
        close = np.mean(distances < CLOSE * self._near.distances[places, NEIGHBOUR - 1])
        beyond = (close - self.expected) / max(1 - self.expected, 1 / len(self.reals))
        return float(np.clip(beyond / max(known, LEAST), 0, 1))

    def _held_out(self) -> np.ndarray:
        """Whether each real looks like a copy of another, (N,): as if it were a sample and not among the reals."""
        places, distances = self._near.places[:, 0], self._near.distances[:, 0]
        itself = (self._near.places[places, :NEIGHBOUR] == np.arange(len(places))[:, np.newaxis]).any(axis=1)
        reach = self._near.distances[places, np.where(itself, NEIGHBOUR, NEIGHBOUR - 1)]
        return distances < CLOSE * reach


def neighbours(pictures: np.ndarray, reals: np.ndarray | None = None, *, count: int) -> Neighbours:
    """The `count` nearest of `reals` (N, D) to each of `pictures` (M, D); without `reals`, of the other pictures."""
    alone = reals is None

    def nearest(distances: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        if alone:
            distances[np.arange(len(distances)), start + np.arange(len(distances))] = np.inf
        places = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return places, np.take_along_axis(distances, places, axis=1)

    parts = list(pairwise_distances_chunked(pictures, reals, reduce_func=nearest))
    places, distances = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    return Neighbours(places=places, distances=distances)
