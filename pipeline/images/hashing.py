"""Perceptual hash of 64 bits (pHash), and search for hashes within a Hamming distance (multi-index hashing).

Copies of a picture differ in few bits, other pictures in about half of them. The search follows M. Norouzi, A. Punjani
and D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing, 2012: if two hashes differ in few bits, one of
their four quarters differs in very few, so it is enough to look up each quarter and its neighbours.
"""

from collections.abc import Iterator
from itertools import combinations

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
_MAX_BUCKET = 256  # hashes with an equal quarter that are compared; for more the answer is True, to bound memory


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


def may_have_near(hashes: np.ndarray, query_hashes: np.ndarray, distance: int) -> np.ndarray:
    """Whether each of `query_hashes` (N,) uint64 may be within Hamming distance `distance` of an earlier one of
    `hashes` (N,).

    Earlier means with a smaller index. False is exact; True means that there is one, or that too many hashes share a
    quarter to compare them.

    Returns:
        (N,) bool.
    """
    found = np.zeros(len(query_hashes), bool)
    for quarter, radius in enumerate(_radii(distance)):
        index = _Index(hashes, quarter)
        for first in range(0, len(query_hashes), _CHUNK):
            undecided = first + np.flatnonzero(~found[first : first + _CHUNK])
            keys = index.keys(query_hashes[undecided])
            for mask in _bit_masks(radius):
                near = index.near(query_hashes, undecided, keys ^ mask, distance)
                if near.any():
                    found[undecided[near]] = True
                    undecided, keys = undecided[~near], keys[~near]
    return found


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

    def near(self, query_hashes: np.ndarray, indices: np.ndarray, keys: np.ndarray, distance: int) -> np.ndarray:
        """Whether the hashes `query_hashes[indices]`, whose quarter is looked up as `keys`, have an earlier near hash
        or a full bucket.

        Returns:
            (len(indices),) bool.
        """
        starts = self.starts[keys]
        counts = self.starts[keys + 1] - starts
        found = counts > _MAX_BUCKET
        counts[found] = 0
        owners = np.repeat(np.arange(len(indices)), counts)
        inside = np.arange(len(owners)) - np.repeat(counts.cumsum() - counts, counts)
        candidates = np.repeat(starts, counts) + inside
        queries = indices[owners]
        near = np.bitwise_count(self.hashes[candidates] ^ query_hashes[queries]) <= distance
        found[owners[near & (self.order[candidates] < queries)]] = True
        return found
