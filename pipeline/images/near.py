"""Which hashes have a near one among those before them, without comparing each with each.

Multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing, 2012):
if two hashes differ in few bits, then in one of four quarters they differ in very few, so that it is enough to look up
each quarter and what is that near to it.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

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
