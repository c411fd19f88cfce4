"""Perceptual hash of 64 bits: copies differ in few bits, other pictures in about half of them; search for near ones.

The search is multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, Fast Search in Hamming Space with Multi-Index
Hashing, 2012): if two hashes differ in few bits, then one of four quarters differs in very few, so it is enough to look
up each quarter and its near values.
"""

from collections.abc import Iterator
from itertools import combinations

import cv2
import numpy as np

from pipeline.images.raster import resize

_SIDE = 32  # of the grey picture that is transformed
_LOW = 8  # rows and columns of the lowest frequencies, one bit each
# How far above the median, in root mean squares. In a symmetric picture half of the frequencies are nothing but noise
# about zero, and so is the median; without this their bits would differ from copy to copy.
_MARGIN = 0.05
_MIRROR = np.float32([1, -1] * (_LOW // 2))


def phash(pixels: np.ndarray) -> int:
    """The DCT hash of `pixels` (H, W, C) uint8, C 1 or 3: which of the 8 x 8 lowest frequencies exceed their median.

    After "pHash" (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), with the
    8 x 8 corner of imagehash and imagededup, and a margin of our own. The highest bit is the constant term.
    """
    return _bits(_lowest(pixels))


def phash_both_ways(pixels: np.ndarray) -> tuple[int, int]:
    """The hash of `pixels`, and that of their mirror image, in which every other wave across is upside down."""
    low = _lowest(pixels)
    return _bits(low), _bits(low * _MIRROR)


def _lowest(pixels: np.ndarray) -> np.ndarray:
    """The lowest frequencies of the grey picture, (_LOW, _LOW)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels[..., 0]
    return cv2.dct(resize(grey, _SIDE, _SIDE).astype(np.float32))[:_LOW, :_LOW]


def _bits(low: np.ndarray) -> int:
    waves = low.ravel()[1:]
    threshold = np.sort(waves)[len(waves) // 2] + _MARGIN * np.sqrt(np.mean(waves**2))
    return int.from_bytes(np.packbits(low.ravel() > threshold).tobytes(), "big")


_QUARTERS, _BITS = 4, 16
_CHUNK = 1 << 14  # hashes looked up at a time
_CROWD = 256  # of one quarter: comparing with more is left to who asks, so that memory is bounded


def may_have_near(hashes: np.ndarray, wanted: np.ndarray, distance: int) -> np.ndarray:
    """For each of `wanted` (N,) uint64, whether it may differ in `distance` bits or less from one of `hashes` (N,)
    before it, that is with a smaller index: (N,) bool.

    Where it says no, there is none; where it says yes there is one, or too many share a quarter to tell.
    """
    found = np.zeros(len(wanted), bool)
    for quarter, radius in enumerate(_radii(distance)):
        index = _Index(hashes, quarter)
        for first in range(0, len(wanted), _CHUNK):
            open_ = first + np.flatnonzero(~found[first : first + _CHUNK])
            keys = index.keys(wanted[open_])
            for flip in _flips(radius):
                near = index.near(wanted, open_, keys ^ flip, distance)
                if near.any():
                    found[open_[near]] = True
                    open_, keys = open_[~near], keys[~near]
    return found


def _radii(distance: int) -> Iterator[int]:
    """How many bits may differ in each quarter: were it one more in all of them, `distance` would be exceeded."""
    every, over = divmod(distance, _QUARTERS)
    return (every if quarter <= over else every - 1 for quarter in range(_QUARTERS))


def _flips(radius: int) -> Iterator[int]:
    """All quarters with at most `radius` bits set; none for a negative one."""
    for count in range(radius + 1):
        for places in combinations(range(_BITS), count):
            yield sum(1 << place for place in places)


class _Index:
    """Hashes in the order of one of their quarters."""

    def __init__(self, hashes: np.ndarray, quarter: int) -> None:
        self.shift = np.uint64(quarter * _BITS)
        keys = self.keys(hashes)
        self.order = np.argsort(keys, kind="stable")
        self.hashes = hashes[self.order]
        self.starts = np.concatenate([[0], np.bincount(keys, minlength=1 << _BITS).cumsum()])

    def keys(self, hashes: np.ndarray) -> np.ndarray:
        """The quarter of each hash."""
        return ((hashes >> self.shift) & np.uint64((1 << _BITS) - 1)).astype(np.intp)

    def near(self, wanted: np.ndarray, places: np.ndarray, keys: np.ndarray, distance: int) -> np.ndarray:
        """Which of `wanted` at `places` has a near hash before it with the quarter that `keys` has for it, or a crowd
        of them: (len(places),) bool.
        """
        starts = self.starts[keys]
        counts = self.starts[keys + 1] - starts
        found = counts > _CROWD
        counts[found] = 0
        who = np.repeat(np.arange(len(places)), counts)
        inside = np.arange(len(who)) - np.repeat(counts.cumsum() - counts, counts)
        candidates = np.repeat(starts, counts) + inside
        asking = places[who]
        near = np.bitwise_count(self.hashes[candidates] ^ wanted[asking]) <= distance
        found[who[near & (self.order[candidates] < asking)]] = True
        return found
