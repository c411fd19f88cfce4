"""Active learning: suggest which squares to label next (uncertain, different from labelled ones, or random).

Labels of selected squares teach the classifier the most; only labels of random squares estimate the share of squares on
target. So one in five is random, in an order that depends on the ids alone: the labelled beginning of that order,
`random_slice`, is an unbiased sample at any time. Without a classifier, coarse features measure the difference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.store.digest import of_bytes

UNCERTAIN, DIFFERENT, RANDOM = "uncertain", "different", "random"
# The kinds of suggestions, repeated; a kind that is not available is replaced by another one
KIND_SEQUENCE = (UNCERTAIN, DIFFERENT, UNCERTAIN, RANDOM, UNCERTAIN)

SIDE = 4  # areas along each side, for the coarse distribution of light and colour


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A picture to label, and why: 'uncertain', 'different' or 'random'."""

    id: str
    why: str


def random_order(ids: Sequence[str]) -> list[str]:
    """`ids` in a pseudo-random order that is independent of the pictures' content and does not change as others are
    added.
    """
    return [ids[place] for place in _random_places(ids)]


def _random_places(ids: Sequence[str]) -> list[int]:
    return sorted(range(len(ids)), key=lambda place: of_bytes(f"random:{ids[place]}".encode()))


def random_slice(ids: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """The labelled pictures at the beginning of the random order of `ids`: an unbiased sample of all."""
    order = random_order(ids)
    return order[: next((index for index, id in enumerate(order) if id not in labels), len(order))]


def suggest(
    ids: Sequence[str],
    *,
    labels: Mapping[str, str],
    scores: Mapping[str, float] | None,
    features: np.ndarray | None,
    count: int,
) -> list[Suggestion]:
    """Suggest up to `count` unlabelled pictures of `ids`, the most useful first; deterministic.

    Args:
        scores: probabilities of the filter by id; None before it has run.
        features: (len(ids), D) vectors whose distance measures difference; None if there are none, then all are random.
    """
    return Suggester(ids, scores=scores, features=features).suggest(labels, count)


class Suggester:
    """Suggests pictures of one set again and again; what it has computed for labels is kept for the next batch.

    The arguments are those of `suggest`, and so are the suggestions.
    """

    def __init__(self, ids: Sequence[str], *, scores: Mapping[str, float] | None, features: np.ndarray | None) -> None:
        self._ids = ids
        self._order = _random_places(ids)
        self._uncertainty = _uncertainty(ids, scores) if scores else None
        self._coverage = _Coverage(features) if features is not None else None

    def suggest(self, labels: Mapping[str, str], count: int) -> list[Suggestion]:
        """Suggest up to `count` pictures without one of `labels`."""
        unlabelled = np.array([id not in labels for id in self._ids], bool)
        coverage = self._coverage.of_labelled(~unlabelled) if self._coverage else None
        uncertainty = self._uncertainty
        kinds: dict[str, Callable[[], int]] = {RANDOM: _next_of(self._order, unlabelled)}
        if coverage:
            kinds[DIFFERENT] = lambda: coverage.farthest(unlabelled)
        if uncertainty is not None:
            kinds[UNCERTAIN] = lambda: _most_uncertain(uncertainty, coverage, unlabelled)
        return list(islice(_suggestions(self._ids, kinds, unlabelled, coverage), count))


def coarse_features(paths: Sequence[Path]) -> np.ndarray:
    """The mean colour of 4 x 4 areas of each square: (N, 48) float32 in [0, 1].

    A file that is missing or cannot be read counts as grey.
    """
    found = np.full((len(paths), SIDE * SIDE * 3), 0.5, np.float32)
    for index, path in enumerate(paths):
        found[index] = _areas(path, found[index])
    return found


def _suggestions(
    ids: Sequence[str], kinds: Mapping[str, Callable[[], int]], unlabelled: np.ndarray, coverage: "_Coverage | None"
) -> Iterator[Suggestion]:
    turn = 0
    while unlabelled.any():
        why = KIND_SEQUENCE[turn % len(KIND_SEQUENCE)]
        why = why if why in kinds else DIFFERENT if DIFFERENT in kinds else RANDOM
        index = kinds[why]()
        turn += 1
        unlabelled[index] = False
        if coverage:
            coverage.add(index)
        yield Suggestion(id=ids[index], why=why)


def _next_of(indices: Sequence[int], unlabelled: np.ndarray) -> Callable[[], int]:
    remaining = iter(indices)
    return lambda: next(index for index in remaining if unlabelled[index])


def _uncertainty(ids: Sequence[str], scores: Mapping[str, float]) -> np.ndarray:
    """The uncertainty of each picture: 1 at a probability of 0.5, 0 at 0 and 1 and for pictures without a score."""
    found = np.array([scores.get(id, 1.0) for id in ids])
    return 1 - np.abs(2 * found - 1)


def _most_uncertain(uncertainty: np.ndarray, coverage: "_Coverage | None", unlabelled: np.ndarray) -> int:
    """The unlabelled picture with the highest uncertainty, weighted by its distance from labelled ones."""
    priority = uncertainty if coverage is None else uncertainty * coverage.novelty()
    return int(np.where(unlabelled, priority, -1).argmax())


class _Coverage:
    """The distance of each picture from the nearest one that is labelled or suggested."""

    def __init__(self, features: np.ndarray) -> None:
        self.features = np.asarray(features, np.float32)
        middle = self.features.mean(axis=0)
        self.distances = ((self.features - middle) ** 2).sum(axis=1)  # before any label: distance from the mean
        self.median_distance = float(np.median(self.distances)) or 1.0
        self._squares = (self.features**2).sum(axis=1)
        self._labelled = np.zeros(len(features), bool)  # those from which `_nearest` are the squared distances
        self._nearest = np.full(len(features), np.inf, np.float32)

    def of_labelled(self, labelled: np.ndarray) -> "_Coverage":
        """The coverage when the pictures (N,) bool are labelled, in arrays of its own; only those that were not
        labelled the last time are compared with all.
        """
        if (self._labelled & ~labelled).any():  # somebody took a label back
            self._labelled[:], self._nearest[:] = False, np.inf
        for index in (labelled & ~self._labelled).nonzero()[0].tolist():
            np.minimum(self._nearest, self._apart(index), out=self._nearest)
        self._labelled[:] = labelled
        found = copy(self)
        found.distances = (self._nearest if labelled.any() else self.distances).copy()
        return found

    def add(self, index: int) -> None:
        """Treat the picture at `index` as labelled."""
        self.distances = np.minimum(self.distances, self._apart(index))

    def _apart(self, index: int) -> np.ndarray:
        """The squared distance of each picture from the one at `index`: (N,) float32, exact to about six digits."""
        return np.maximum(self._squares + self._squares[index] - 2 * (self.features @ self.features[index]), 0)

    def novelty(self) -> np.ndarray:
        """0 for a copy of a labelled picture, up to 1 for the median distance or more."""
        return np.sqrt(np.minimum(self.distances / self.median_distance, 1))

    def farthest(self, unlabelled: np.ndarray) -> int:
        """The unlabelled picture that is farthest from all labelled ones."""
        return int(np.where(unlabelled, self.distances, -1).argmax())


def _areas(path: Path, fallback: np.ndarray) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError):  # raised by Pillow for files that are not pictures
        return fallback
    return np.asarray(small, np.float32).ravel() / 255
