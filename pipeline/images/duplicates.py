"""Find near-duplicates (equal pixels, re-encoded or resized copies, mirror images), and group similar pictures.

Two steps: pictures whose perceptual hashes differ in few bits are candidates; then their thumbnails must agree in
colour and detail, relative to their variance. The hash alone would match all flat pictures, and the same drawing in
another colour. Groups use looser thresholds: no picture is rejected because of them, but pictures of one group are not
used to test each other.
"""

import base64
from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.images.hashing import NearHashes, near_hashes, phash_both_ways
from pipeline.images.packed import Images
from pipeline.images.prepare import THUMBNAIL_SIDE, Prepared
from pipeline.images.raster import mirrored, resize
from pipeline.images.thumbnail_distances import Thumbnail, Thumbnails
from pipeline.progress import Progress, silent

# Mean squared difference of two thumbnails, divided by the smaller of their variances. 98 of 100 re-encoded, resized or
# mirrored copies are below it; other pictures with near hashes, drawings or photographs, are above 0.08.
MAX_DIFFERENCE = 0.03
# Variance, in grey levels squared, of a picture that shows only encoding noise. It is a duplicate only of equal pixels,
# so that thousands of blank pictures, whose hashes are near, need not be compared with each other.
BLANK_VARIANCE = 4.0
FIRST_PART, LARGEST_PART = 16, 1024  # pictures that one is compared with at a time: it bounds the memory
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
    are near if their Hamming distance is at most `max_distance`; below 0 nothing is a duplicate. A picture is compared
    with the kept ones whose hashes are near until one is similar, so that copies cost little; only of pictures with
    near hashes that are not similar, each two are compared, by averages.
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
        elif near_duplicates := [found for view in views for found in view.first_near_duplicates(rank)]:
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
        self.thumbnails = Thumbnails()  # of those that were looked at
        self.places = np.full(len(order), -1, np.int32)  # there, of each rank

    def keep(self, rank: int) -> None:
        """Add the picture to the kept ones."""
        self.is_kept[rank] = True
        self.kept[self.count], self.kept_hashes[self.count] = rank, self.hashes[rank]
        self.count += 1

    def first_near_duplicates(self, rank: int) -> list[int]:
        """The lowest rank of a kept near-duplicate of the picture, and that of one of its mirror image, if any."""
        ranks = self._near(self.near, self.hashes, rank)
        mirrored_ranks = self._near(self.near_mirrored, self.mirrors, rank)
        if not len(ranks) + len(mirrored_ranks):
            return []
        thumbnail = Thumbnail.of(self.thumbnails[self._place(rank)])
        if thumbnail.variance < BLANK_VARIANCE:
            return []
        mirror_image = Thumbnail.of(mirrored(thumbnail.pixels))
        return [*self._first_similar(ranks, thumbnail), *self._first_similar(mirrored_ranks, mirror_image)]

    def _near(self, near: NearHashes, hashes: np.ndarray, rank: int) -> np.ndarray:
        """The ranks of the kept pictures with a near hash."""
        if near.crowded[rank]:
            distances = np.bitwise_count(self.kept_hashes[: self.count] ^ hashes[rank])
            return self.kept[: self.count][distances <= self.max_distance]
        found = near.of(rank)
        return found[self.is_kept[found]]

    def _first_similar(self, ranks: np.ndarray, thumbnail: Thumbnail) -> Iterator[int]:
        """The first of `ranks` whose thumbnail is similar, if any; often only the hash is near."""
        for part in _parts(ranks):
            places = np.array([self._place(rank) for rank in part.tolist()])
            similar = self.thumbnails.similar(places, thumbnail, MAX_DIFFERENCE)
            if similar.any():
                yield int(part[similar.argmax()])
                return

    def _place(self, rank: int) -> int:
        """The place of the picture's thumbnail, which is fetched the first time."""
        if self.places[rank] < 0:
            self.places[rank] = self.thumbnails.add(self.pictures.thumbnail(int(self.order[rank]), self.name))
        return int(self.places[rank])


def _parts(indices: np.ndarray) -> Iterator[np.ndarray]:
    """`indices` (N,) in parts, of which the first are small, as one of them may be enough."""
    start, size = 0, FIRST_PART
    while start < len(indices):
        yield indices[start : start + size]
        start, size = start + size, min(2 * size, LARGEST_PART)


def thumbnail_of(picture: Prepared, view: str) -> np.ndarray:
    """The thumbnail of `picture` in one of `VIEWS`, (S, S, C) uint8, S = THUMBNAIL_SIDE."""
    data = base64.b64decode(getattr(picture, f"{view}look"))
    return np.frombuffer(data, np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE, -1)


MAX_GROUP_HASH_DISTANCE = 12  # Hamming distance of the hashes (64 bits) of two pictures of one group
MAX_GROUP_DIFFERENCE = 0.25  # like MAX_DIFFERENCE, for pictures of one group
GROUP_THUMBNAIL_SIDE = 16  # pixels
_CHUNK = 256  # pictures that are hashed between two reports of the progress
_SHRINK_SHARE = 8  # once 1 in so many pictures has a group, the list of the others is made anew


def group_similar(
    ids: Sequence[str], images: Images, wanted: Container[str] | None = None, *, progress: Progress = silent
) -> dict[str, str]:
    """Map each id to its group: the smallest id among the pictures that are connected by similarity. Most groups have
    one.

    `images` is (N, H, W, C) uint8. If the `wanted` ids are given, only their groups are looked for, and every picture
    that is in none of these is alone. Each picture of a group is compared with all that have no group yet, so the time
    grows with N and with the number of pictures in the groups that are looked for. `progress` is called while all
    pictures are hashed.
    """
    groups, ungrouped = dict(zip(ids, ids, strict=True)), _Ungrouped(_hashes(images, progress), images)
    for index, id in enumerate(ids):
        if wanted is None or id in wanted:
            members = [ids[member] for member in ungrouped.take_group(index)]
            groups |= dict.fromkeys(members, min(members, default=id))
    return groups


def _hashes(images: Images, progress: Progress) -> np.ndarray:
    """The hash of each of `images` (N, H, W, C) and of its mirror image, (N, 2) uint64."""
    hashes = np.empty((len(images), 2), np.uint64)
    for start in range(0, len(images), _CHUNK):
        progress(start, len(images), "squares compared")
        for place, image in enumerate(images[start : start + _CHUNK], start=start):
            hashes[place] = phash_both_ways(image)
    return hashes


class _Ungrouped:
    """Pictures, and which of them have no group yet. A member of a group has none left that is similar to it."""

    def __init__(self, hashes: np.ndarray, images: Images) -> None:
        self._hashes, self._images = hashes, images
        self._is_grouped = np.zeros(len(hashes), bool)
        self._list_rest()
        self._thumbnails = Thumbnails()  # of those that were looked at
        self._places: dict[int, int] = {}  # there, by index

    def take_group(self, index: int) -> list[int]:
        """The indices of the pictures in the group of the one at `index`, which have a group from now on; none if that
        has one already."""
        if self._is_grouped[index]:
            return []
        members = [index]
        self._set_grouped(np.array(members))
        for member in members:  # the list grows meanwhile
            similar = self._similar(member)
            self._set_grouped(similar)
            members += similar.tolist()
        return members

    def _set_grouped(self, indices: np.ndarray) -> None:
        self._is_grouped[indices] = True
        self._grouped += len(indices)
        if self._grouped * _SHRINK_SHARE > len(self._rest):
            self._list_rest()

    def _list_rest(self) -> None:
        """List the pictures without a group, with copies of their hashes that lie together."""
        self._rest, self._grouped = np.flatnonzero(~self._is_grouped), 0
        self._own, self._mirrors = (np.ascontiguousarray(self._hashes[self._rest, kind]) for kind in range(2))

    def _similar(self, index: int) -> np.ndarray:
        """The indices of the pictures without a group that are similar to the one at `index` or to its mirror image."""
        others = self._near(index)
        places = np.array([self._place(other) for other in others.tolist()], np.int64)
        is_similar = np.zeros(len(others), bool)
        pixels = self._thumbnails[self._place(index)]
        for each in (pixels, mirrored(pixels)) if len(others) else ():
            thumbnail = Thumbnail.of(each)
            for part in _parts(np.flatnonzero(~is_similar)):
                is_similar[part] = self._thumbnails.similar(places[part], thumbnail, MAX_GROUP_DIFFERENCE)
        return others[is_similar]

    def _near(self, index: int) -> np.ndarray:
        """The indices of the pictures without a group whose hash is near. Of two pictures both hashes of the later one
        are compared with the earlier one's own."""
        at = int(np.searchsorted(self._rest, index))
        own, mirror = self._hashes[index]
        is_near = np.bitwise_count(self._own ^ own) <= MAX_GROUP_HASH_DISTANCE
        is_near[:at] |= np.bitwise_count(self._own[:at] ^ mirror) <= MAX_GROUP_HASH_DISTANCE
        is_near[at:] |= np.bitwise_count(self._mirrors[at:] ^ own) <= MAX_GROUP_HASH_DISTANCE
        near = self._rest[is_near]
        return near[~self._is_grouped[near]]

    def _place(self, index: int) -> int:
        """The place of the picture's thumbnail, which is made the first time."""
        if index not in self._places:
            small = resize(self._images[index], GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE)
            small = small.reshape(GROUP_THUMBNAIL_SIDE, GROUP_THUMBNAIL_SIDE, -1)
            self._places[index] = self._thumbnails.add(small)
        return self._places[index]
