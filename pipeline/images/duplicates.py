"""Find duplicates (equal pixels, re-encoded or resized copies, mirror images) and group near-duplicates.

Two looks. Hashes that differ in few bits make a pair worth a second one; then the small copies must agree in colour
and in detail, measured against how much there is to see in them. A hash alone would take all flat pictures, and the
same drawing in another colour, for duplicates. Groups are looser: nothing is rejected for them, but pictures of one
group are not used to test each other.
"""

import base64
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.images.hashing import may_have_near, phash_both_ways
from pipeline.images.prepare import LOOK, Prepared
from pipeline.images.raster import mirrored, resize

# The mean squared difference of two copies, as a share of the variance within the plainer one. Of re-encoded, resized
# and mirrored copies 98 in 100 stay below it; other pictures with near hashes, drawn or photographed, are above 0.08.
ALIKE = 0.03
# The variance, in grey levels squared, of a picture that shows nothing but the noise of its encoding. Only equal pixels
# make it a duplicate; so thousands of blank pictures, whose hashes are alike, need not be compared with each other.
PLAIN = 4.0
VIEWS = ("", "whole_")  # how the fields of `Prepared` begin that hold them


def find_duplicates(pictures: Sequence[Prepared], distance: int) -> dict[str, str]:
    """Map the id of each duplicate to that of the picture that is kept instead of it.

    Pictures are compared by their squares, which finds what others cropped as we do, and by the whole, stretched to a
    square, which finds what others stretched. Of pictures that show the same, the one with the most original pixels
    is kept, then the one with the most bytes, then the one with the smallest id. Each duplicate is itself near to the
    one it is mapped to: likeness is not passed on from one to the next. The order of `pictures` does not matter.
    `distance` is the number of bits of 64 by which hashes may differ; below 0 nothing is a duplicate. Time grows with
    the number of pictures times that of pictures with near hashes, memory linearly.
    """
    if distance < 0:
        return {}
    pictures = sorted(pictures, key=_best_first)
    views = [_View(pictures, name, distance) for name in VIEWS]
    by_pixels: dict[str, str] = {}
    originals: dict[str, str] = {}
    for place, picture in enumerate(pictures):
        if original := by_pixels.get(picture.sha256):
            originals[picture.id] = original
        elif alike := [found for view in views for found in view.alike(place)]:
            originals[picture.id] = pictures[min(alike)].id
        else:
            by_pixels[picture.sha256] = picture.id
            for view in views:
                view.keep(place)
    return originals


def _best_first(picture: Prepared) -> tuple[int, int, str]:
    return -picture.width * picture.height, -picture.bytes, picture.id


class _View:
    """One way of looking at `pictures`, best first, and those that are kept so far, in arrays with room for all."""

    def __init__(self, pictures: Sequence[Prepared], name: str, distance: int) -> None:
        self.pictures, self.name, self.distance = pictures, name, distance
        self.hashes, self.mirrors = self._hashes("phash"), self._hashes("mirror")
        self.worth_a_look = may_have_near(self.hashes, self.hashes, distance)
        self.worth_a_look |= may_have_near(self.hashes, self.mirrors, distance)
        self.count = 0
        self.places = np.empty(len(pictures), int)
        self.kept = np.empty(len(pictures), np.uint64)
        self.looks: np.ndarray | None = None  # (room, LOOK, LOOK, C) uint8

    def keep(self, place: int) -> None:
        """Keep the picture at `place`."""
        look = look_of(self.pictures[place], self.name)
        if self.looks is None:
            self.looks = np.empty((len(self.kept), *look.shape), np.uint8)
        self.looks[self.count], self.kept[self.count], self.places[self.count] = look, self.hashes[place], place
        self.count += 1

    def alike(self, place: int) -> list[int]:
        """The places of those kept that show the same as the picture at `place`, or its mirror image."""
        if not self.worth_a_look[place] or self.looks is None:
            return []
        look = look_of(self.pictures[place], self.name)
        if variance(look) < PLAIN:
            return []
        return [*self._near(self.hashes[place], look), *self._near(self.mirrors[place], mirrored(look))]

    def _near(self, phash: np.uint64, look: np.ndarray) -> np.ndarray:
        """The places of those kept with a near hash and a like look."""
        near = np.flatnonzero(np.bitwise_count(self.kept[: self.count] ^ phash) <= self.distance)
        if near.size:  # often only the hash or that of the mirror image is near
            near = near[difference(self.looks[near], look) <= ALIKE]
        return self.places[near]

    def _hashes(self, kind: str) -> np.ndarray:
        texts = (getattr(picture, self.name + kind) for picture in self.pictures)
        return np.fromiter((int(text, 16) for text in texts), np.uint64, len(self.pictures))


def difference(looks: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Mean squared difference of each of `looks` (N, H, W, C) from `look` (H, W, C), as a share of the variance within
    the plainer of the two: (N,), infinite where that is of a single colour.
    """
    squares = (looks.astype(np.float32) - look) ** 2
    plainer = np.minimum(variance(looks), variance(look))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(squares.mean(axis=(-3, -2, -1)) / plainer, nan=np.inf)


def variance(looks: np.ndarray) -> np.ndarray:
    """How much there is to see in looks (..., H, W, C): the variance over the pixels, averaged over the channels."""
    return looks.var(axis=(-3, -2), dtype=np.float32).mean(axis=-1)


def look_of(picture: Prepared, view: str) -> np.ndarray:
    """The small copy of `picture` in one of `VIEWS`, (LOOK, LOOK, C) uint8."""
    return np.frombuffer(base64.b64decode(getattr(picture, f"{view}look")), np.uint8).reshape(LOOK, LOOK, -1)


DISTANCE = 12  # bits of 64 by which hashes may differ
# The mean squared difference of two small copies, as a share of the variance within the plainer one
ALIKE_IN_GROUPS = 0.25
SQUASHED = 16  # side of the small copies
_CHUNK = 256  # pictures compared with all others at once


def group_alike(ids: Sequence[str], images: np.ndarray) -> dict[str, str]:
    """Map each of `ids` to the name of its group: the smallest id among the pictures that it is like, or that are like
    one of those, and so on. Most pictures are alone.

    `images` (N, H, W, C) uint8. Time grows with N², some 2 s at 20,000 pictures.
    """
    from scipy.sparse import coo_array  # a moment to load, and the plan and the workers need none
    from scipy.sparse.csgraph import connected_components

    rows, columns = _alike(images)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(ids), len(ids)))
    numbers = connected_components(graph, directed=False)[1].tolist()
    names: dict[int, str] = {}
    for number, id in zip(numbers, ids, strict=True):
        names[number] = min(id, names.get(number, id))
    return {id: names[number] for number, id in zip(numbers, ids, strict=True)}


def _alike(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of each two of `images` (N, H, W, C) that belong in one group: (P,) and (P,) int32."""
    hashes = np.array([phash_both_ways(image) for image in images], np.uint64).reshape(-1, 2)
    looks = np.array([resize(image, SQUASHED, SQUASHED) for image in images]).reshape(
        len(images), SQUASHED, SQUASHED, -1
    )
    rows, columns = [], []
    for place, others in _near(hashes):
        for look in (looks[place], mirrored(looks[place])):
            found = others[difference(looks[others], look) <= ALIKE_IN_GROUPS]
            columns.append(found.astype(np.int32))
            rows.append(np.full(len(found), place, np.int32))
    none = np.empty(0, np.int32)
    return np.concatenate([none, *rows]), np.concatenate([none, *columns])


def _near(hashes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
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
