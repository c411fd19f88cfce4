"""Metrics from features of samples and reals: KID, precision, recall, density, coverage, memorised samples.

Scores of different extractors cannot be compared, and none of these is an FID.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from pipeline.neighbours import neighbours

SUBSETS, SUBSET_SIZE = 100, 1000  # of the KID, as in its paper
NEIGHBOURS = 3  # of precision and recall; Kynkäänniemi et al. 2019
# Reals with larger radii than this share of all are left out of precision: a blank or strange picture far from all
# others has a ball that even noise lies in. The same authors leave out half of them for their realism score
PRECISION_SHARE = 0.95
DENSITY_NEIGHBOURS = 5  # of density and coverage; Naeem et al. 2020
MAX_IMAGES = 5000  # for precision and recall, whose cost grows with the square
MAX_KERNEL_VALUES = 25_000_000  # 200 MB: up to this size the whole kernel is kept, and subsets are taken from it
MIN_IMAGES = 8  # half of them must still have a few pairs
# A sample is a copy if its distance to the nearest real is below COPY_DISTANCE times the distance from that real to its
# NEIGHBOUR-th nearest real. Measured with textures on 200 reals: the rule finds all exact copies, 98 in 100 photographs
# and drawings that were shifted by a thirtieth of their side, but only 1 in 20 such shifted pictures of clothes, and 1
# or 2 in 100 new pictures. Near-duplicates among the reals, up to NEIGHBOUR - 1 of one picture, do not change it.
# Textures seldom recognise a mirrored picture; MobileNet does.
COPY_DISTANCE, NEIGHBOUR = 0.6, 5
MIN_KNOWN_SHARE = 0.2  # below this share of known reals the score would be mostly noise


@dataclass(frozen=True, kw_only=True)
class Kid:
    """A kernel inception distance and its standard error; about 0 if samples cannot be distinguished from reals."""

    value: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of samples against reals; all are None if there are too few pictures.

    `kid_floor` is the KID of one half of the reals against the other: about that of a perfect generator. `density` and
    `coverage` (Naeem et al. 2020) are steadier than precision and recall, which one real far from all others changes;
    both are about 1 for a perfect generator, and density may be larger. Precision and density are those of a sample
    among all reals, whatever the number of samples; recall and coverage need as many samples as reals, so of more reals
    only as many are used.
    """

    kid: float | None = None
    kid_error: float | None = None
    kid_floor: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None


class Reference:
    """The features (N, D) of the reals; what depends on them alone is computed once for all samples."""

    def __init__(self, reals: np.ndarray, *, seed: int = 0) -> None:
        self.reals, self.seed = reals, seed
        self._shuffled = reals[np.random.default_rng((seed, *b"halves")).permutation(len(reals))]
        self._radii = functools.cache(lambda count: _radii(self._shuffled[:count]))
        self._wider = functools.cache(lambda count: _radii(self._shuffled[:count], DENSITY_NEIGHBOURS))

    def score(self, samples: np.ndarray) -> Scores:
        """Score the features (M, D) of samples; all scores are None if N < 2 * MIN_IMAGES or M < MIN_IMAGES."""
        if len(self.reals) < 2 * MIN_IMAGES or len(samples) < MIN_IMAGES:
            return Scores()
        known, count = min(len(self.reals), MAX_IMAGES), min(len(self.reals), len(samples), MAX_IMAGES)
        every, some, others = self._shuffled[:known], self._shuffled[:count], samples[:MAX_IMAGES]
        distance = kid(self.reals, samples, seed=self.seed, within=self._within)
        return Scores(
            kid=distance.value,
            kid_error=distance.error,
            kid_floor=self._floor,
            precision=_precision(others, every, self._radii(known)),
            recall=_share_within(some, samples[:count], _radii(samples[:count])),
            density=_density(others, every, self._wider(known)),
            coverage=_coverage(some, samples[:count], self._wider(count)),
        )

    @cached_property
    def _floor(self) -> float:
        return kid(self._shuffled[::2], self._shuffled[1::2], seed=self.seed).value

    @cached_property
    def _within(self) -> np.ndarray | None:
        """The kernel matrix of the reals with themselves, if it is small enough to keep."""
        return _cubic(self.reals, self.reals) if len(self.reals) ** 2 <= MAX_KERNEL_VALUES else None


def kid(reals: np.ndarray, samples: np.ndarray, *, seed: int = 0, within: np.ndarray | None = None) -> Kid:
    """The kernel inception distance (Binkowski et al. 2018) of features (N, D) and (M, D), with its standard error.

    The value is the mean of the unbiased squared MMD over random subsets. A subset is at most half of the smaller set,
    so that subsets differ and the error follows from their spread: the delete-d jackknife (Shao and Wu 1989). `within`
    is the kernel (N, N) of the reals, if it is known.
    """
    fewer = min(len(reals), len(samples))
    size, rng = min(SUBSET_SIZE, fewer // 2), np.random.default_rng((seed, *b"kid"))
    subsets = [(_sample_rows(reals, size, rng), _sample_rows(samples, size, rng)) for _ in range(SUBSETS)]
    values = [_unbiased(kernels) for kernels in _kernels_of(reals, samples, subsets, within)]
    return Kid(value=float(np.mean(values)), error=float(np.std(values) * math.sqrt(size / (fewer - size))))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased squared MMD of x and y, both (N, D), with the kernel (x . y / D + 1)^3; Binkowski et al., eq. 4."""
    return _unbiased(_kernels(x, y))


def precision_recall(reals: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2) of features (N, D) and (M, D).

    Precision is the share of samples that lie among the reals, recall the share of reals that lie among the samples.
    For precision the twentieth of the reals that is farthest from others is left out. Both sets must have more than
    NEIGHBOURS rows.
    """
    return _precision(samples, reals, _radii(reals)), _share_within(reals, samples, _radii(samples))


def density_coverage(reals: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020, equations 6 and 7, k = 5) of features (N, D) and (M, D).

    Density is the mean number of reals that a sample lies among, over k; coverage is the share of reals that have a
    sample among their k nearest. N must be larger than k.
    """
    radius = _radii(reals, DENSITY_NEIGHBOURS)
    return _density(samples, reals, radius), _coverage(reals, samples, radius)


def _density(samples: np.ndarray, reals: np.ndarray, radius: np.ndarray) -> float:
    inside = pairwise_distances_chunked(samples, reals, reduce_func=lambda part, _: (part <= radius).sum(axis=1))
    return int(np.concatenate(list(inside)).sum()) / (DENSITY_NEIGHBOURS * len(samples))


def _coverage(reals: np.ndarray, samples: np.ndarray, radius: np.ndarray) -> float:
    def covered(part: np.ndarray, start: int) -> np.ndarray:
        return np.any(part <= radius[start : start + len(part), np.newaxis], axis=1)

    return float(np.concatenate(list(pairwise_distances_chunked(reals, samples, reduce_func=covered))).mean())


def _precision(samples: np.ndarray, reals: np.ndarray, radius: np.ndarray) -> float:
    usual = radius <= np.quantile(radius, PRECISION_SHARE)
    return _share_within(samples, reals[usual], radius[usual])


def _share_within(points: np.ndarray, support: np.ndarray, radius: np.ndarray) -> float:
    """The share of `points` (N, D) that are within `radius` (M,) of some point of `support` (M, D)."""
    inside = pairwise_distances_chunked(points, support, reduce_func=lambda part, _: (part <= radius).any(axis=1))
    return float(np.concatenate(list(inside)).mean())


def _radii(support: np.ndarray, count: int = NEIGHBOURS) -> np.ndarray:
    """The distance of each point of `support` (M, D) to its nearest neighbour number `count`; (M,)."""
    return neighbours(support, count=count).distances[:, -1]


class _Kernels(NamedTuple):
    """The kernel matrices of x with x, y with y, and x with y."""

    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray


def _kernels(x: np.ndarray, y: np.ndarray, xx: np.ndarray | None = None) -> _Kernels:
    return _Kernels(_cubic(x, x) if xx is None else xx, _cubic(y, y), _cubic(x, y))


def _kernels_of(
    x: np.ndarray, y: np.ndarray, subsets: list[tuple[np.ndarray, np.ndarray]], xx: np.ndarray | None
) -> Iterator[_Kernels]:
    """The kernels of each pair of subsets (indices into x and y), taken from the whole kernel if that is less work."""
    of_whole = len(x) ** 2 + len(y) ** 2 + len(x) * len(y)
    of_subsets = sum(len(some) ** 2 + len(others) ** 2 + len(some) * len(others) for some, others in subsets)
    if of_whole > min(MAX_KERNEL_VALUES, of_subsets):
        yield from (_kernels(x[some], y[others]) for some, others in subsets)
        return
    whole = _kernels(x, y, xx)
    for some, others in subsets:
        within = whole.xx[np.ix_(some, some)], whole.yy[np.ix_(others, others)]
        yield _Kernels(*within, whole.xy[np.ix_(some, others)])


def _unbiased(kernels: _Kernels) -> float:
    count = len(kernels.xx)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (kernels.xx, kernels.yy))
    return float(within / (count * (count - 1)) - 2 * kernels.xy.mean())


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x.astype(np.float64, copy=False) @ y.astype(np.float64, copy=False).T / x.shape[1] + 1
    return base * base * base  # many times as fast as a power


def _sample_rows(features: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """The indices of `size` random rows."""
    return rng.choice(len(features), size, replace=False)


class Copies:
    """Measures which samples are copies of reals, by the features (N, D) of more than NEIGHBOUR + 1 reals."""

    def __init__(self, reals: np.ndarray) -> None:
        self.reals = reals
        self._near = neighbours(reals, count=NEIGHBOUR + 1)
        self.expected = float(self._held_out().mean())  # share of new pictures that look like copies

    def share(self, samples: np.ndarray, *, known: float = 1.0) -> float:
        """The share, in [0, 1], of samples (M, D) that are copies of reals; about 0 for new samples, good or bad.

        Each real, measured against the others, tells how often a new picture looks like a copy (the usual test:
        generated to train against held-out to train). Only what exceeds that rate counts. `known` is the share of the
        training pictures that are among `reals`: copies of the others look new.
        """
        found = neighbours(samples, self.reals, count=1)
        indices, distances = found.indices[:, 0], found.distances[:, 0]
        close = np.mean(distances < COPY_DISTANCE * self._near.distances[indices, NEIGHBOUR - 1])
        beyond = (close - self.expected) / max(1 - self.expected, 1 / len(self.reals))
        return float(np.clip(beyond / max(known, MIN_KNOWN_SHARE), 0, 1))

    def _held_out(self) -> np.ndarray:
        """Whether each real looks like a copy of another real, as if it were a sample; (N,)."""
        indices, distances = self._near.indices[:, 0], self._near.distances[:, 0]
        itself = (self._near.indices[indices, :NEIGHBOUR] == np.arange(len(indices))[:, np.newaxis]).any(axis=1)
        reach = self._near.distances[indices, np.where(itself, NEIGHBOUR, NEIGHBOUR - 1)]
        return distances < COPY_DISTANCE * reach
