"""Looks at samples while a generator learns, and says in figures what a person would look for."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from pipeline.gan.copies import Copies
from pipeline.gan.extractor import Extractor
from pipeline.gan.scores import FEWEST, Reference, Scores

MOST = 2000  # reals; their features are made once, and more make the figures hardly steadier


@dataclass(frozen=True, kw_only=True)
class Look(Scores):
    """The scores of some samples, and two figures beside. All are None where there are too few pictures to tell.

    `diversity` is the mean distance between two samples over that between two reals: about 1 for a good generator, 0
    for one that draws one picture. `memorised` is the share of samples that are copies of reals (see `Copies`).
    """

    diversity: float | None = None
    memorised: float | None = None


class Monitor:
    """Compares samples with the reals of one training; the figures of one monitor can be compared with each other.

    `images` are the reals (N, S, S, C) uint8, of which at most MOST are looked at, chosen by `seed`. `count` is how
    many samples one look wants: a look costs the features of so many, and about half a second besides.
    """

    def __init__(self, images: np.ndarray, *, extractor: Extractor, seed: int, count: int = 500) -> None:
        self.extractor, self.seed, self.count = extractor, seed, count
        chosen = np.random.default_rng((seed, *b"monitor")).permutation(len(images))[:MOST]
        self._images = images[np.sort(chosen)]
        self._known = len(chosen) / max(len(images), 1)

    def look(self, samples: np.ndarray) -> Look:
        """The figures of the first `count` of `samples` (M, S, S, C) uint8, as the generator drew them, none chosen."""
        samples = samples[: self.count]
        if len(self._images) < 2 * FEWEST or len(samples) < FEWEST:
            return Look()
        seen = self._features(samples)
        return Look(
            **asdict(self._reference.score(seen)),
            diversity=spread(seen) / self._spread if self._spread else None,
            memorised=self._copies.share(seen, known=self._known),
        )

    @cached_property
    def _reals(self) -> np.ndarray:
        return self._features(self._images)

    def _features(self, images: np.ndarray) -> np.ndarray:
        """In float64: they are compared in it, and would else be converted for each figure."""
        return self.extractor.features(images).astype(np.float64)

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._reals, seed=self.seed)

    @cached_property
    def _spread(self) -> float:
        return spread(self._reals)

    @cached_property
    def _copies(self) -> Copies:
        return Copies(self._reals)


def spread(features: np.ndarray) -> float:
    """The mean distance between two of `features` (N, D), N at least 2."""
    if not np.ptp(features, axis=0).any():
        return 0.0  # to the last bit: it is divided by
    sums = pairwise_distances_chunked(features, reduce_func=lambda part, _: part.sum(axis=1, dtype=float))
    return float(np.concatenate(list(sums)).sum()) / (len(features) * (len(features) - 1))
