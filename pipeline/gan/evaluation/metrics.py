"""Metrics from features of samples and reals: KID, precision, recall, diversity, memorised samples. NumPy only.

Figures from different extractors cannot be compared, and none of these is an FID.
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

SUBSETS, SUBSET_SIZE = 100, 1000  # of the KID, as its authors have them
NEIGHBOURS = 3  # Kynkäänniemi et al. 2019
MOST = 5000  # precision and recall look at so many at most: their cost grows with the square
AT_ONCE = 25_000_000  # values of the kernel, 200 MB: so many are held to take all subsets from
FEWEST = 8  # half of them must still hold a few pairs


@dataclass(frozen=True, kw_only=True)
class Kid:
    """A kernel distance and its standard error; 0 when samples cannot be told from reals, below it by chance."""

    value: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Samples against reals. `kid_floor` is one half of the reals against the other: about what a perfect generator
    would get. All are None where there are too few pictures to tell."""

    kid: float | None = None
    kid_error: float | None = None
    kid_floor: float | None = None
    precision: float | None = None
    recall: float | None = None


class Reference:
    """Features (N, D) of reals: what hangs on them alone is worked out once for all samples that they meet."""

    def __init__(self, reals: np.ndarray, *, seed: int = 0) -> None:
        self.reals, self.seed = reals, seed
        self._mixed = reals[np.random.default_rng((seed, *b"halves")).permutation(len(reals))]
        self._radii = functools.cache(lambda count: _radii(self._mixed[:count]))

    def score(self, samples: np.ndarray) -> Scores:
        """Compare features (M, D) of samples; no figures when N < 2 * FEWEST or M < FEWEST."""
        if len(self.reals) < 2 * FEWEST or len(samples) < FEWEST:
            return Scores()
        count = min(len(self.reals), len(samples), MOST)  # as many of each: both figures depend on the counts
        some, others = self._mixed[:count], samples[:count]
        distance = kid(self.reals, samples, seed=self.seed, within=self._within)
        return Scores(
            kid=distance.value,
            kid_error=distance.error,
            kid_floor=self._floor,
            precision=_share_within(others, some, self._radii(count)),
            recall=_share_within(some, others, _radii(others)),
        )

    @cached_property
    def _floor(self) -> float:
        return kid(self._mixed[::2], self._mixed[1::2], seed=self.seed).value

    @cached_property
    def _within(self) -> np.ndarray | None:
        """The kernel within the reals, where it may be held."""
        return _cubic(self.reals, self.reals) if len(self.reals) ** 2 <= AT_ONCE else None


def kid(reals: np.ndarray, samples: np.ndarray, *, seed: int = 0, within: np.ndarray | None = None) -> Kid:
    """The kernel inception distance's estimator (Binkowski et al. 2018) on features (N, D) and (M, D).

    The value is the mean over random subsets of the unbiased squared MMD. A subset is at most half of the smaller
    set, so that subsets differ and the error can be told from their spread: the delete-d jackknife (Shao and Wu 1989).
    `within` is the kernel (N, N) of the reals, if it is known.
    """
    fewer = min(len(reals), len(samples))
    size, draw = min(SUBSET_SIZE, fewer // 2), np.random.default_rng((seed, *b"kid"))
    subsets = [(_some(reals, size, draw), _some(samples, size, draw)) for _ in range(SUBSETS)]
    values = [_unbiased(kernels) for kernels in _kernels_of(reals, samples, subsets, within)]
    return Kid(value=float(np.mean(values)), error=float(np.std(values) * math.sqrt(size / (fewer - size))))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased squared MMD of x and y, both (N, D), with the kernel (x . y / D + 1)^3; Binkowski et al., eq. 4."""
    return _unbiased(_kernels(x, y))


def precision_recall(reals: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
    """The share of samples that lie among the reals, and of reals that lie among the samples.

    Features (N, D) and (M, D), each more than NEIGHBOURS; Kynkäänniemi et al. 2019, equations 1 and 2.
    """
    return _share_within(samples, reals, _radii(reals)), _share_within(reals, samples, _radii(samples))


def _share_within(points: np.ndarray, support: np.ndarray, radius: np.ndarray) -> float:
    """The share of `points` (N, D) nearer to some point of `support` (M, D) than its `radius` (M,) says."""
    inside = pairwise_distances_chunked(points, support, reduce_func=lambda part, _: (part <= radius).any(axis=1))
    return float(np.concatenate(list(inside)).mean())


def _radii(support: np.ndarray) -> np.ndarray:
    """How far the k-th neighbour in `support` (M, D) is from each; (M,)."""
    return neighbours(support, count=NEIGHBOURS).distances[:, -1]


class _Kernels(NamedTuple):
    """The kernel within x, within y, and between the two."""

    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray


def _kernels(x: np.ndarray, y: np.ndarray, xx: np.ndarray | None = None) -> _Kernels:
    return _Kernels(_cubic(x, x) if xx is None else xx, _cubic(y, y), _cubic(x, y))


def _kernels_of(
    x: np.ndarray, y: np.ndarray, subsets: list[tuple[np.ndarray, np.ndarray]], xx: np.ndarray | None
) -> Iterator[_Kernels]:
    """Those of each pair of subsets, places in x and in y: taken from the whole's where that means less work."""
    of_whole = len(x) ** 2 + len(y) ** 2 + len(x) * len(y)
    of_subsets = sum(len(some) ** 2 + len(others) ** 2 + len(some) * len(others) for some, others in subsets)
    if of_whole > min(AT_ONCE, of_subsets):
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
    return base * base * base  # a power takes many times as long


def _some(features: np.ndarray, size: int, draw: np.random.Generator) -> np.ndarray:
    """The places of `size` rows."""
    return draw.choice(len(features), size, replace=False)


# A sample is a copy if its nearest real is nearer than CLOSE of the way from that real to its NEIGHBOUR-th nearest.
# Measured on photographs and drawings of three subjects, with histograms and MobileNet: so near are 99 in 100 copies
# that were moved by 2 px of 64, 3 in 4 that were bent, and 1 in 100 new pictures; the average of all reals, to which
# generators collapse, stays at .85 and more. Near-duplicates among the reals, up to so many of one, leave it as it is.
# Histograms do not know a mirror image again; MobileNet does.
CLOSE, NEIGHBOUR = 0.6, 5
LEAST = 0.2  # below this share of known reals the figure would be mostly noise


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
