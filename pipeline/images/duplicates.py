"""Find near-duplicates (equal pixels, re-encoded or resized copies, mirror images), and group similar pictures.

Two steps: pictures whose perceptual hashes differ in few bits are candidates; then their thumbnails must agree in
colour and detail, relative to their variance. The hash alone would match all flat pictures, and the same drawing in
another colour. Groups use looser thresholds: no picture is rejected because of them, but pictures of one group are not
used to test each other.
"""

import base64
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.images.hashing import may_have_near, phash_both_ways
from pipeline.images.prepare import THUMBNAIL_SIDE, Prepared
from pipeline.images.raster import mirrored, resize

# Mean squared difference of two thumbnails, divided by the smaller of their variances. 98 of 100 re-encoded, resized or
# mirrored copies are below it; other pictures with near hashes, drawings or photographs, are above 0.08.
MAX_DIFFERENCE = 0.03
# Variance, in grey levels squared, of a picture that shows only encoding noise. It is a duplicate only of equal pixels,
# so that thousands of blank pictures, whose hashes are near, need not be compared with each other.
BLANK_VARIANCE = 4.0
VIEWS = ("", "whole_")  # prefixes of the fields of `Prepared`: the square, the whole picture


def find_duplicates(pictures: Sequence[Prepared], max_distance: int) -> dict[str, str]:
    """Map the id of each near-duplicate to the id of the picture that is kept.

    Pictures are compared by their squares, which finds copies that were cropped, and by the whole picture squashed to a
    square, which finds copies that were stretched. Of near-duplicates the one with the most pixels in the original is
    kept, then the one with the most bytes, then the one with the smallest id. Each duplicate is itself near the picture
    that it is mapped to: similarity is not transitive here. The order of `pictures` does not matter. Hashes (64 bits)
    are near if their Hamming distance is at most `max_distance`; below 0 nothing is a duplicate. Time grows with the
    number of pictures times the number of those with near hashes; memory grows linearly.
    """
    if max_distance < 0:
        return {}
    pictures = sorted(pictures, key=_best_first)
    views = [_View(pictures, name, max_distance) for name in VIEWS]
    by_pixels: dict[str, str] = {}
    originals: dict[str, str] = {}
    for index, picture in enumerate(pictures):
        if original := by_pixels.get(picture.sha256):
            originals[picture.id] = original
        elif near_duplicates := [found for view in views for found in view.near_duplicates(index)]:
            originals[picture.id] = pictures[min(near_duplicates)].id
        else:
            by_pixels[picture.sha256] = picture.id
            for view in views:
                view.keep(index)
    return originals


def _best_first(picture: Prepared) -> tuple[int, int, str]:
    return -(picture.width or 0) * (picture.height or 0), -picture.bytes, picture.id


class _View:
    """One comparison of `pictures` (best first) with those kept so far, which are stored in preallocated arrays."""

    def __init__(self, pictures: Sequence[Prepared], name: str, max_distance: int) -> None:
        self.pictures, self.name, self.max_distance = pictures, name, max_distance
        self.hashes, self.mirrors = self._hashes("phash"), self._hashes("mirror")
        self.has_near_hash = may_have_near(self.hashes, self.hashes, max_distance)
        self.has_near_hash |= may_have_near(self.hashes, self.mirrors, max_distance)
        self.count = 0
        self.indices = np.empty(len(pictures), int)
        self.kept = np.empty(len(pictures), np.uint64)
        self.thumbnails: np.ndarray | None = None  # (capacity, S, S, C) uint8, S = THUMBNAIL_SIDE

    def keep(self, index: int) -> None:
        """Add the picture at `index` to the kept ones."""
        thumbnail = thumbnail_of(self.pictures[index], self.name)
        if self.thumbnails is None:
            self.thumbnails = np.empty((len(self.kept), *thumbnail.shape), np.uint8)
        self.thumbnails[self.count] = thumbnail
        self.kept[self.count], self.indices[self.count] = self.hashes[index], index
        self.count += 1

    def near_duplicates(self, index: int) -> list[int]:
        """The indices of the kept near-duplicates of the picture at `index` or of its mirror image."""
        if not self.has_near_hash[index] or self.thumbnails is None:
            return []
        thumbnail = thumbnail_of(self.pictures[index], self.name)
        if variance(thumbnail) < BLANK_VARIANCE:
            return []
        return [*self._near(self.hashes[index], thumbnail), *self._near(self.mirrors[index], mirrored(thumbnail))]

    def _near(self, phash: np.uint64, thumbnail: np.ndarray) -> np.ndarray:
        """The indices of the kept pictures with a near hash and a similar thumbnail."""
        near = np.flatnonzero(np.bitwise_count(self.kept[: self.count] ^ phash) <= self.max_distance)
        if near.size and self.thumbnails is not None:  # often only the hash or that of the mirror image is near
            near = near[difference(self.thumbnails[near], thumbnail) <= MAX_DIFFERENCE]
        return self.indices[near]

    def _hashes(self, kind: str) -> np.ndarray:
        texts = (getattr(picture, self.name + kind) for picture in self.pictures)
        return np.fromiter((int(text, 16) for text in texts), np.uint64, len(self.pictures))


def difference(thumbnails: np.ndarray, thumbnail: np.ndarray) -> np.ndarray:
    """Mean squared difference of `thumbnails` (N, H, W, C) from `thumbnail` (H, W, C), divided by the smaller of the
    two variances.

    Returns:
        (N,); infinite if one of the two has a single colour.
    """
    squares = (thumbnails.astype(np.float32) - thumbnail) ** 2
    smaller_variance = np.minimum(variance(thumbnails), variance(thumbnail))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(squares.mean(axis=(-3, -2, -1)) / smaller_variance, nan=np.inf)


def variance(thumbnails: np.ndarray) -> np.ndarray:
    """The variance over the pixels of `thumbnails` (..., H, W, C), averaged over the channels."""
    return thumbnails.var(axis=(-3, -2), dtype=np.float32).mean(axis=-1)


def thumbnail_of(picture: Prepared, view: str) -> np.ndarray:
    """The thumbnail of `picture` in one of `VIEWS`, (S, S, C) uint8, S = THUMBNAIL_SIDE."""
    data = base64.b64decode(getattr(picture, f"{view}look"))
    return np.frombuffer(data, np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE, -1)


MAX_GROUP_HASH_DISTANCE = 12  # Hamming distance of the hashes (64 bits) of two pictures of one group
MAX_GROUP_DIFFERENCE = 0.25  # like MAX_DIFFERENCE, for pictures of one group
GROUP_THUMBNAIL_SIDE = 16  # pixels
_CHUNK = 256  # pictures that are compared with all others at once


def group_similar(ids: Sequence[str], images: np.ndarray) -> dict[str, str]:
    """Map each id to its group: the smallest id among the pictures that are connected by similarity. Most groups have
    one.

    `images` is (N, H, W, C) uint8. Time grows with N², about 2 s for 20,000 pictures.
    """
    from scipy.sparse import coo_array  # a moment to load, and the plan and the workers need none
    from scipy.sparse.csgraph import connected_components

    rows, columns = _similar_pairs(images)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(ids), len(ids)))
    numbers = connected_components(graph, directed=False)[1].tolist()
    names: dict[int, str] = {}
    for number, id in zip(numbers, ids, strict=True):
        names[number] = min(id, names.get(number, id))
    return {id: names[number] for number, id in zip(numbers, ids, strict=True)}


def _similar_pairs(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of each two of `images` (N, H, W, C) that belong in one group: (P,) and (P,) int32."""
    hashes = np.array([phash_both_ways(image) for image in images], np.uint64).reshape(-1, 2)
    thumbnails = np.array([resize(image, GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE) for image in images]).reshape(
        len(images), GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE, -1
    )
    rows, columns = [], []
    for index, others in _near(hashes):
        for thumbnail in (thumbnails[index], mirrored(thumbnails[index])):
            found = others[difference(thumbnails[others], thumbnail) <= MAX_GROUP_DIFFERENCE]
            columns.append(found.astype(np.int32))
            rows.append(np.full(len(found), index, np.int32))
    none = np.empty(0, np.int32)
    return np.concatenate([none, *rows]), np.concatenate([none, *columns])


def _near(hashes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each index with the smaller indices whose hash is near to its own or to that of its mirror image."""
    for start in range(0, len(hashes), _CHUNK):
        block = hashes[start : start + _CHUNK]
        near = np.bitwise_count(block[:, :1] ^ hashes[:, 0]) <= MAX_GROUP_HASH_DISTANCE
        near |= np.bitwise_count(block[:, 1:] ^ hashes[:, 0]) <= MAX_GROUP_HASH_DISTANCE
        for row in near.any(axis=1).nonzero()[0]:
            others = near[row].nonzero()[0]
            others = others[others < start + row]
            if len(others):
                yield start + row, others
