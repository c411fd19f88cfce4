"""Suggest which squares to label next: uncertain ones, ones unlike any labelled one, and some at random.

Labels of chosen squares teach the most; labels of random squares are the only ones that tell how many squares are on
target. So one in five is random, in an order that follows from the ids alone: the labelled beginning of that order,
`random_slice`, is a fair sample whenever one looks. Before a classifier exists, coarse features tell unlike squares
apart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.neighbours import squared_distances
from pipeline.store.digest import of_bytes

UNCERTAIN, DIFFERENT, RANDOM = "uncertain", "different", "random"
TURNS = (UNCERTAIN, DIFFERENT, UNCERTAIN, RANDOM, UNCERTAIN)  # over and over; other kinds fill in where one has none

AT_ONCE = 256  # labelled pictures compared with all at once: 20 MB for 20,000


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A picture worth a label, and why: 'uncertain', 'different' or 'random'."""

    id: str
    why: str


def random_order(ids: Sequence[str]) -> list[str]:
    """`ids` in an order that has nothing to do with how pictures look and never changes as others come or go."""
    return sorted(ids, key=lambda id: of_bytes(f"random:{id}".encode()))


def random_slice(ids: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """The labelled ones at the beginning of the random order of `ids`: a fair sample of them all."""
    order = random_order(ids)
    return order[: next((place for place, id in enumerate(order) if id not in labels), len(order))]


def suggest(
    ids: Sequence[str],
    *,
    labels: Mapping[str, str],
    scores: Mapping[str, float] | None,
    features: np.ndarray | None,
    count: int,
) -> list[Suggestion]:
    """Up to `count` of `ids` without a label, the most useful first; the same ones for the same arguments.

    `scores` are the filter's probabilities, by id, and None before it has run; `features` (len(ids), D) is what
    likeness is measured by, and None where nothing is known: then all are random.
    """
    free = np.array([id not in labels for id in ids], bool)
    order = {id: place for place, id in enumerate(ids)}
    cover = _Cover(features, ~free) if features is not None else None
    doubts = _doubts(ids, scores) if scores else None
    kinds: dict[str, Callable[[], int]] = {RANDOM: _in_turn([order[id] for id in random_order(ids)], free)}
    if cover:
        kinds[DIFFERENT] = lambda: cover.farthest(free)
    if doubts is not None:
        kinds[UNCERTAIN] = lambda: _most_doubtful(doubts, cover, free)
    return list(islice(_by_turns(ids, kinds, free, cover), count))


def _by_turns(
    ids: Sequence[str], kinds: Mapping[str, Callable[[], int]], free: np.ndarray, cover: "_Cover | None"
) -> Iterator[Suggestion]:
    turn = 0
    while free.any():
        why = TURNS[turn % len(TURNS)]
        why = why if why in kinds else DIFFERENT if DIFFERENT in kinds else RANDOM
        place = kinds[why]()
        turn += 1
        free[place] = False
        if cover:
            cover.add(place)
        yield Suggestion(id=ids[place], why=why)


def _in_turn(places: Sequence[int], free: np.ndarray) -> Callable[[], int]:
    left = iter(places)
    return lambda: next(place for place in left if free[place])


def _doubts(ids: Sequence[str], scores: Mapping[str, float]) -> np.ndarray:
    """How little the filter knows of each picture: 1 at a probability of a half, 0 at certainty and where unscored."""
    found = np.array([scores.get(id, 1.0) for id in ids])
    return 1 - np.abs(2 * found - 1)


def _most_doubtful(doubts: np.ndarray, cover: "_Cover | None", free: np.ndarray) -> int:
    """Of two equally doubtful pictures the one that is less like what has a label already."""
    worth = doubts if cover is None else doubts * cover.newness()
    return int(np.where(free, worth, -1).argmax())


class _Cover:
    """How far each picture is from the nearest one that is labelled or suggested."""

    def __init__(self, features: np.ndarray, labelled: np.ndarray) -> None:
        self.features = np.asarray(features, np.float32)
        middle = self.features.mean(axis=0)
        self.distances = ((self.features - middle) ** 2).sum(axis=1)  # at first: what lies far out is different
        self.usual = float(np.median(self.distances)) or 1.0
        if labelled.any():
            self.distances = self._nearest(labelled.nonzero()[0])

    def _nearest(self, places: np.ndarray) -> np.ndarray:
        """How far each picture is, squared, from the nearest of those at `places`."""
        found = np.full(len(self.features), np.inf, np.float32)
        for start in range(0, len(places), AT_ONCE):
            known = self.features[places[start : start + AT_ONCE]]
            found = np.minimum(found, squared_distances(self.features, known).min(axis=1))
        return found

    def add(self, place: int) -> None:
        """Count the picture at `place` as known."""
        apart = squared_distances(self.features, self.features[place : place + 1])[:, 0]
        self.distances = np.minimum(self.distances, apart)

    def newness(self) -> np.ndarray:
        """Between 0 for a copy of what is known and 1 for what is no nearer to it than pictures usually are."""
        return np.sqrt(np.minimum(self.distances / self.usual, 1))

    def farthest(self, free: np.ndarray) -> int:
        """The free picture that is least like all known ones."""
        return int(np.where(free, self.distances, -1).argmax())


SIDE = 4  # areas along each side: where light and colour lie, and nothing finer


def coarse_features(paths: Sequence[Path]) -> np.ndarray:
    """The mean colour of 4 x 4 areas of each square: (N, 48) float32 in [0, 1].

    A file that is missing or cannot be read counts as grey: it is like nothing in particular.
    """
    found = np.full((len(paths), SIDE * SIDE * 3), 0.5, np.float32)
    for place, path in enumerate(paths):
        found[place] = _areas(path, found[place])
    return found


def _areas(path: Path, otherwise: np.ndarray) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for files that are no pictures
        return otherwise
    return np.asarray(small, np.float32).ravel() / 255
