"""Which pictures are so nearly alike that what is known of one is known of the other: shots of one scene, edits.

Looser than what makes a duplicate: nothing is thrown away for it, but such pictures are not used to test each other.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.images.duplicates import difference
from pipeline.images.phash import mirrored, phash_both_ways
from pipeline.images.raster import resize

DISTANCE = 12  # bits of 64 by which hashes may differ
ALIKE = 0.25  # the mean squared difference of two small copies, as a share of the variance within the plainer one
LOOK = 16  # side of the small copies
_CHUNK = 256  # pictures compared with all others at once


def group_alike(ids: Sequence[str], images: np.ndarray) -> dict[str, str]:
    """Map each of `ids` to the name of its group: the smallest id among the pictures that it is like, or that are like
    one of those, and so on. Most pictures are alone.

    `images` (N, H, W, C) uint8. Time grows with N², some 2 s at 20,000 pictures.
    """
    hashes = np.array([phash_both_ways(image) for image in images], np.uint64).reshape(-1, 2)
    looks = np.array([resize(image, LOOK, LOOK) for image in images]).reshape(len(images), LOOK, LOOK, -1)
    groups = list(range(len(ids)))
    for place, others in _near(hashes):
        for look in (looks[place], mirrored(looks[place])):
            for other in others[difference(looks[others], look) <= ALIKE]:
                _join(groups, place, int(other))
    names: dict[int, str] = {}
    roots = [_root(groups, place) for place in range(len(ids))]
    for root, id in zip(roots, ids, strict=True):
        names[root] = min(id, names.get(root, id))
    return {id: names[root] for root, id in zip(roots, ids, strict=True)}


def _near(hashes: np.ndarray):
    """Each place with those before it whose hash is near to its own or to that of its mirror image."""
    for start in range(0, len(hashes), _CHUNK):
        block = hashes[start : start + _CHUNK]
        near = np.bitwise_count(block[:, :1] ^ hashes[:, 0]) <= DISTANCE
        near |= np.bitwise_count(block[:, 1:] ^ hashes[:, 0]) <= DISTANCE
        for row in near.any(axis=1).nonzero()[0]:
            others = near[row].nonzero()[0]
            others = others[others < start + row]
            if len(others):
                yield start + row, others


def _root(groups: list[int], place: int) -> int:
    while groups[place] != place:
        groups[place] = groups[groups[place]]
        place = groups[place]
    return place


def _join(groups: list[int], one: int, other: int) -> None:
    groups[_root(groups, one)] = _root(groups, other)
