"""Find near-duplicates (equal pixels, re-encoded or resized copies, mirror images), and group similar pictures.

Two steps: pictures whose perceptual hashes differ in few bits are candidates; then their thumbnails must agree in
colour and detail, relative to their variance. The hash alone would match all flat pictures, and the same drawing in
another colour. Groups use looser thresholds: no picture is rejected because of them, but pictures of one group are not
used to test each other.
"""

import base64
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.images.hashing import NearHashes, near_hashes, phash_both_ways
from pipeline.images.packed import Images
from pipeline.images.prepare import THUMBNAIL_SIDE, Prepared
from pipeline.images.raster import mirrored, resize

# Mean squared difference of two thumbnails, divided by the smaller of their variances. 98 of 100 re-encoded, resized or
# mirrored copies are below it; other pictures with near hashes, drawings or photographs, are above 0.08.
MAX_DIFFERENCE = 0.03
# Variance, in grey levels squared, of a picture that shows only encoding noise. It is a duplicate only of equal pixels,
# so that thousands of blank pictures, whose hashes are near, need not be compared with each other.
BLANK_VARIANCE = 4.0
VIEWS = ("", "whole_")  # prefixes of the fields of `Prepared`: the square, the whole picture
KINDS = ("phash", "mirror")  # of hashes: of the picture, of its mirror image


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """What N usable pictures are compared by. Thumbnails are fetched when they are needed, as few are."""

    ids: Sequence[str]
    sha256: Sequence[str]  # of the squares
    pixels: np.ndarray  # (N,) int64, of the original
    bytes: np.ndarray  # (N,) int64
    hashes: dict[str, np.ndarray]  # by view and kind, "phash" and "mirror": (N,) uint64
    thumbnail: Callable[[int, str], np.ndarray]  # of the picture at an index and a view: (S, S, C), S = THUMBNAIL_SIDE

    @classmethod
    def of(cls, pictures: Sequence[Prepared]) -> "Fingerprints":
        """The fingerprints of `pictures`, which all have a square."""
        return gather_fingerprints(pictures, lambda index: pictures[index])


def gather_fingerprints(pictures: Iterable[Prepared], picture_at: Callable[[int], Prepared]) -> Fingerprints:
    """The fingerprints of `pictures`, which are read once in order, and one by one if their thumbnails are needed."""
    ids: list[str] = []
    sha256: list[str] = []
    pixels, sizes = array("q"), array("q")
    hashes = {view + kind: array("Q") for view in VIEWS for kind in KINDS}
    for picture in pictures:
        ids.append(picture.id)
        sha256.append(picture.sha256)
        pixels.append((picture.width or 0) * (picture.height or 0))
        sizes.append(picture.bytes)
        for name, column in hashes.items():
            column.append(int(getattr(picture, name), 16))
    return Fingerprints(
        ids=ids,
        sha256=sha256,
        pixels=np.array(pixels),
        bytes=np.array(sizes),
        hashes={name: np.array(column) for name, column in hashes.items()},
        thumbnail=lambda index, view: thumbnail_of(picture_at(index), view),
    )


def find_duplicates(pictures: Fingerprints, max_distance: int) -> dict[str, str]:
    """Map the id of each near-duplicate to the id of the picture that is kept.

    Pictures are compared by their squares, which finds copies that were cropped, and by the whole picture squashed to a
    square, which finds copies that were stretched. Of near-duplicates the one with the most pixels in the original is
    kept, then the one with the most bytes, then the one with the smallest id. Each duplicate is itself near the picture
    that it is mapped to: similarity is not transitive here. The order of `pictures` does not matter. Hashes (64 bits)
    are near if their Hamming distance is at most `max_distance`; below 0 nothing is a duplicate. Time and memory grow
    linearly with the number of pictures, as long as most hashes have few near ones.
    """
    if max_distance < 0:
        return {}
    order = np.lexsort((np.array(pictures.ids, "S"), -pictures.bytes, -pictures.pixels))  # the best first
    views = [_View(pictures, order, view, max_distance) for view in VIEWS]
    by_pixels: dict[str, int] = {}
    originals: dict[str, str] = {}
    for rank, index in enumerate(order.tolist()):
        sha256 = pictures.sha256[index]
        if (original := by_pixels.get(sha256)) is not None:
            originals[pictures.ids[index]] = pictures.ids[original]
        elif near_duplicates := [found for view in views for found in view.near_duplicates(rank)]:
            originals[pictures.ids[index]] = pictures.ids[order[min(near_duplicates)]]
        else:
            by_pixels[sha256] = index
            for view in views:
                view.keep(rank)
    return originals


class _View:
    """One comparison of pictures in their `order`, the best first, with those kept so far. A rank is a place in it."""

    def __init__(self, pictures: Fingerprints, order: np.ndarray, name: str, max_distance: int) -> None:
        self.pictures, self.order, self.name, self.max_distance = pictures, order, name, max_distance
        self.hashes, self.mirrors = (pictures.hashes[name + kind][order] for kind in KINDS)
        self.near = near_hashes(self.hashes, self.hashes, max_distance)
        self.near_mirrored = near_hashes(self.hashes, self.mirrors, max_distance)
        self.is_kept = np.zeros(len(order), bool)
        self.kept, self.kept_hashes = np.empty(len(order), np.int64), np.empty(len(order), np.uint64)  # ranks, hashes
        self.count = 0  # of the two that are filled
        self.thumbnails: np.ndarray | None = None  # (capacity, S, S, C) uint8: of those that were looked at
        self.loaded = 0
        self.places = np.full(len(order), -1, np.int32)  # there, of each rank

    def keep(self, rank: int) -> None:
        """Add the picture to the kept ones."""
        self.is_kept[rank] = True
        self.kept[self.count], self.kept_hashes[self.count] = rank, self.hashes[rank]
        self.count += 1

    def near_duplicates(self, rank: int) -> list[int]:
        """The ranks of the kept near-duplicates of the picture or of its mirror image."""
        ranks = self._near(self.near, self.hashes, rank)
        mirrored_ranks = self._near(self.near_mirrored, self.mirrors, rank)
        if not len(ranks) + len(mirrored_ranks):
            return []
        thumbnail = self._thumbnails(np.array([rank]))[0]
        if variance(thumbnail) < BLANK_VARIANCE:
            return []
        return [*self._similar(ranks, thumbnail), *self._similar(mirrored_ranks, mirrored(thumbnail))]

    def _near(self, near: NearHashes, hashes: np.ndarray, rank: int) -> np.ndarray:
        """The ranks of the kept pictures with a near hash."""
        if near.crowded[rank]:
            distances = np.bitwise_count(self.kept_hashes[: self.count] ^ hashes[rank])
            return self.kept[: self.count][distances <= self.max_distance]
        found = near.of(rank)
        return found[self.is_kept[found]]

    def _similar(self, ranks: np.ndarray, thumbnail: np.ndarray) -> np.ndarray:
        """Those of `ranks` whose thumbnails are similar; often only the hash or that of the mirror image is near."""
        return ranks[difference(self._thumbnails(ranks), thumbnail) <= MAX_DIFFERENCE] if len(ranks) else ranks

    def _thumbnails(self, ranks: np.ndarray) -> np.ndarray:
        for rank in ranks[self.places[ranks] < 0].tolist():
            self._load(rank)
        assert self.thumbnails is not None  # `ranks` is not empty
        return self.thumbnails[self.places[ranks]]

    def _load(self, rank: int) -> None:
        thumbnail = self.pictures.thumbnail(int(self.order[rank]), self.name)
        if self.thumbnails is None:
            self.thumbnails = np.empty((64, *thumbnail.shape), np.uint8)
        elif self.loaded == len(self.thumbnails):
            self.thumbnails = np.concatenate([self.thumbnails, np.empty_like(self.thumbnails)])
        self.thumbnails[self.loaded], self.places[rank] = thumbnail, self.loaded
        self.loaded += 1


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
_MAX_COMPARED = 4000  # pictures: of more, those with near hashes are looked up


def group_similar(ids: Sequence[str], images: Images) -> dict[str, str]:
    """Map each id to its group: the smallest id among the pictures that are connected by similarity. Most groups have
    one.

    `images` is (N, H, W, C) uint8. Time and memory grow linearly with N, as long as most hashes have few near ones.
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


def _similar_pairs(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """The places of each two of `images` (N, H, W, C) that belong in one group: (P,) and (P,) int32."""
    hashes = np.empty((len(images), 2), np.uint64)
    thumbnails = np.empty((len(images), GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE, images.shape[3]), np.uint8)
    for start in range(0, len(images), _CHUNK):
        for place, image in enumerate(images[start : start + _CHUNK], start=start):
            hashes[place] = phash_both_ways(image)
            small = resize(image, GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE)
            thumbnails[place] = small.reshape(thumbnails.shape[1:])
    rows, columns = [], []
    for index, others in _near(hashes) if len(hashes) <= _MAX_COMPARED else _near_looked_up(hashes):
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


def _near_looked_up(hashes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """What `_near` yields, in an index of the hashes; only those with very many near ones are compared with all."""
    known = np.ascontiguousarray(hashes[:, 0])
    own, mirrors = (near_hashes(known, hashes[:, kind], MAX_GROUP_HASH_DISTANCE) for kind in range(2))
    crowded = own.crowded | mirrors.crowded
    has_near = crowded | (np.diff(own.starts) + np.diff(mirrors.starts) > 0)
    for index in has_near.nonzero()[0].tolist():
        if crowded[index]:
            near = np.bitwise_count(hashes[index][:, np.newaxis] ^ known[:index]) <= MAX_GROUP_HASH_DISTANCE
            others = near.any(axis=0).nonzero()[0]
        else:
            others = np.union1d(own.of(index), mirrors.of(index))
        if len(others):
            yield index, others
