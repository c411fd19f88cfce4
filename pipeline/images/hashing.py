"""Perceptual hash of 64 bits (pHash), and search for hashes within a Hamming distance (multi-index hashing).

Copies of a picture differ in few bits, other pictures in about half of them. The search follows M. Norouzi, A. Punjani
and D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing, 2012: if two hashes differ in few bits, one of
their four quarters differs in very few, so it is enough to look up each quarter and its neighbours.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.images.raster import resize

_SIDE = 32  # pixels of the grey picture that is transformed
_LOW = 8  # rows and columns of the lowest frequencies, one bit each
# Distance from the median in root mean squares. In a symmetric picture half of the frequencies are only noise around
# zero, and so is the median; without this margin their bits would differ between copies.
_MARGIN = 0.05
_MIRROR = np.array([1, -1] * (_LOW // 2), np.float32)
_QUARTERS, _BITS = 4, 16
_CHUNK = 1 << 14  # hashes looked up at a time
_MAX_PAIRS = 1 << 20  # of a query and a candidate that are compared at a time: it bounds the memory
_MAX_NEAR = 64  # near hashes of one query that are listed
_MIN_BUCKET, _BUCKET_SHARE = 256, 64  # so many hashes, or 1 in so many, may share a quarter and be looked through


def phash(pixels: np.ndarray) -> int:
    """The DCT hash of `pixels` (H, W, C) uint8, C 1 or 3: a bit for each of the 8 x 8 lowest frequencies above their
    median.

    After pHash (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), with the 8 x 8
    corner as in imagehash and imagededup, and an additional margin. The highest bit is the constant term.
    """
    return _to_bits(_low_frequencies(pixels))


def phash_both_ways(pixels: np.ndarray) -> tuple[int, int]:
    """The hash of `pixels` and that of their mirror image, in which every other horizontal frequency changes
    its sign.
    """
    low = _low_frequencies(pixels)
    return _to_bits(low), _to_bits(low * _MIRROR)


class NearHashes(NamedTuple):
    """The near hashes of N queries. `crowded` are those with too many to list; `of` gives none for them."""

    starts: np.ndarray  # (N + 1,) int64
    indices: np.ndarray  # (P,) int32; of query i from starts[i] to starts[i + 1], in ascending order
    crowded: np.ndarray  # (N,) bool

    def of(self, query: int) -> np.ndarray:
        """The indices of the hashes near to `query`, int32."""
        return self.indices[self.starts[query] : self.starts[query + 1]]


def near_hashes(hashes: np.ndarray, queries: np.ndarray, distance: int) -> NearHashes:
    """The earlier ones of `hashes` (N,) uint64 within Hamming distance `distance` of each of `queries` (N,).

    Earlier means with a smaller index. A query looks up 188 values of quarters at distance 8.
    As long as hashes differ, each value has about N / 65,536 hashes to compare, so a query takes longer as N grows,
    from some ten thousand hashes on. Memory grows linearly with N. A query is crowded if more than _MAX_NEAR hashes are
    near, or if very many share a quarter with it.
    """
    indexes = [(_Index(hashes, quarter), [*_bit_masks(radius)]) for quarter, radius in enumerate(_radii(distance))]
    chunks = [
        _near_in_chunk(indexes, queries, np.arange(first, min(first + _CHUNK, len(queries))), distance)
        for first in range(0, len(queries), _CHUNK)
    ]
    counts, indices, crowded = ([chunk[part] for chunk in chunks] for part in range(3))
    none, unknown = np.empty(0, np.int32), np.empty(0, bool)
    starts = np.concatenate([[0], *counts]).cumsum()
    return NearHashes(starts, np.concatenate([none, *indices]), np.concatenate([unknown, *crowded]))


def _near_in_chunk(
    indexes: list[tuple["_Index", list[int]]], queries: np.ndarray, chunk: np.ndarray, distance: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The number of near hashes of each query in `chunk`, their indices, and which queries are crowded."""
    found = _Pairs(len(chunk), len(queries))
    for index, masks in indexes:
        keys = index.keys(queries[chunk])
        for mask in masks:
            found.crowded |= index.is_full(keys ^ mask)
            places = np.flatnonzero(~found.crowded)
            for near in index.near(queries, chunk, places, keys[places] ^ mask, distance):
                found.add(*near)
    return found.result()


class _Pairs:
    """Pairs of a place in a chunk and an index below `size`, each once; no place has more than _MAX_NEAR."""

    def __init__(self, places: int, size: int) -> None:
        self.crowded = np.zeros(places, bool)
        self._places, self._size = places, size
        self._pairs: list[np.ndarray] = []  # place * size + index

    def add(self, places: np.ndarray, indices: np.ndarray) -> None:
        self._pairs.append(places * self._size + indices)
        if sum(map(len, self._pairs)) > _MAX_PAIRS:
            self._settle()

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The number of indices of each place, the indices in the order of places, and which places are crowded."""
        pairs = self._settle()
        counts = np.bincount(pairs // self._size, minlength=self._places)
        return counts, (pairs % self._size).astype(np.int32), self.crowded

    def _settle(self) -> np.ndarray:
        """Keep each pair once, as two hashes may share several quarters, and none of crowded places."""
        pairs = np.unique(np.concatenate([np.empty(0, np.int64), *self._pairs]))
        self.crowded |= np.bincount(pairs // self._size, minlength=self._places) > _MAX_NEAR
        self._pairs = [pairs[~self.crowded[pairs // self._size]]]
        return self._pairs[0]


def _low_frequencies(pixels: np.ndarray) -> np.ndarray:
    """The lowest frequencies of the grey picture, (_LOW, _LOW) float32."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels[..., 0]
    return cv2.dct(resize(grey, _SIDE, _SIDE).astype(np.float32))[:_LOW, :_LOW]


def _to_bits(low: np.ndarray) -> int:
    waves = low.ravel()[1:]
    threshold = np.sort(waves)[len(waves) // 2] + _MARGIN * np.sqrt(np.mean(waves**2))
    return int.from_bytes(np.packbits(low.ravel() > threshold).tobytes(), "big")


def _radii(distance: int) -> Iterator[int]:
    """The Hamming radius within each quarter: with one bit more in all quarters, `distance` would be exceeded."""
    every, over = divmod(distance, _QUARTERS)
    return (every if quarter <= over else every - 1 for quarter in range(_QUARTERS))


def _bit_masks(radius: int) -> Iterator[int]:
    """All values of a quarter with at most `radius` bits set; none for a negative radius."""
    for count in range(radius + 1):
        for bits in combinations(range(_BITS), count):
            yield sum(1 << bit for bit in bits)


class _Index:
    """Hashes sorted by one of their quarters."""

    def __init__(self, hashes: np.ndarray, quarter: int) -> None:
        self.shift = np.uint64(quarter * _BITS)
        keys = self.keys(hashes)
        self.order = np.argsort(keys, kind="stable")
        self.hashes = hashes[self.order]
        self.starts = np.concatenate([[0], np.bincount(keys, minlength=1 << _BITS).cumsum()])

    def keys(self, hashes: np.ndarray) -> np.ndarray:
        """The value of the quarter of each hash."""
        return ((hashes >> self.shift) & np.uint64((1 << _BITS) - 1)).astype(np.intp)

    def is_full(self, keys: np.ndarray) -> np.ndarray:
        """Whether too many hashes have each of `keys` to look through them: (N,) bool."""
        limit = max(_MIN_BUCKET, len(self.hashes) // _BUCKET_SHARE)
        return self.starts[keys + 1] - self.starts[keys] > limit

    def near(
        self, queries: np.ndarray, chunk: np.ndarray, places: np.ndarray, keys: np.ndarray, distance: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of the place in `chunk` of a query, and an earlier near hash whose quarter is the query's key.

        Args:
            queries: (N,) all hashes that are looked up.
            chunk: (C,) the indices of those that are looked up now.
            places: (P,) places in `chunk`.
            keys: (P,) the value of the quarter that is looked up for each.
            distance: the largest Hamming distance.
        """
        starts = self.starts[keys]
        counts = self.starts[keys + 1] - starts
        ends = counts.cumsum()
        for part in np.split(np.arange(len(places)), _cuts(ends)):
            owners = np.repeat(part, counts[part])
            inside = np.arange(len(owners)) - np.repeat(counts[part].cumsum() - counts[part], counts[part])
            candidates = starts[owners] + inside
            indices = chunk[places[owners]]
            near = np.bitwise_count(self.hashes[candidates] ^ queries[indices]) <= distance
            near &= self.order[candidates] < indices
            yield places[owners[near]], self.order[candidates[near]]


def _cuts(ends: np.ndarray) -> np.ndarray:
    """Where to split pairs, whose numbers so far are `ends`, such that a part has about _MAX_PAIRS at most."""
    total = ends[-1] if len(ends) else 0
    return np.unique(np.searchsorted(ends, np.arange(_MAX_PAIRS, total, _MAX_PAIRS)))
