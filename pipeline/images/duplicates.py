"""Find pictures that show the same: equal pixels, re-encoded or resized copies, mirror images.

Two looks. Hashes that differ in few bits make a pair worth a second one; then the small copies must agree in colour
and in detail, measured against how much there is to see in them. A hash alone would take all flat pictures, and the
same drawing in another colour, for one.
"""

import base64
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.images.near import may_have_near
from pipeline.images.phash import mirrored
from pipeline.images.prepare import LOOK, Prepared

# The mean squared difference of two copies, as a share of the variance within the plainer one. Of re-encoded, resized
# and mirrored copies 98 in 100 stay below it; other pictures with near hashes, drawn or photographed, are above 0.08.
ALIKE = 0.03
# The variance, in grey levels squared, of a picture that shows nothing but the noise of its encoding. Only equal pixels
# make it a duplicate; so thousands of blank pictures, whose hashes are alike, need not be compared with each other.
PLAIN = 4.0


def find_duplicates(pictures: Sequence[Prepared], distance: int) -> dict[str, str]:
    """Map the id of each duplicate to that of the picture that is kept instead of it.

    Of pictures that show the same, the one with the most original pixels is kept, then the one with the most bytes,
    then the one with the smallest id. Each duplicate is itself near to the one it is mapped to: likeness is not passed
    on from one to the next. The order of `pictures` does not matter. `distance` is the number of bits of 64 by which
    hashes may differ; below 0 nothing is a duplicate. Time grows with the number of pictures times that of pictures
    with near hashes, memory linearly.
    """
    if distance < 0:
        return {}
    pictures = sorted(pictures, key=_best_first)
    hashes, mirrors = (_hashes(getattr(picture, name) for picture in pictures) for name in ("phash", "mirror"))
    worth_a_look = may_have_near(hashes, hashes, distance) | may_have_near(hashes, mirrors, distance)
    kept, originals = _Kept(len(pictures), distance), {}
    for place, picture in enumerate(pictures):
        original = kept.same_pixels(picture)
        if original is None and worth_a_look[place]:
            original = kept.same_look(hashes[place], mirrors[place], look_of(picture))
        if original is None:
            kept.add(picture, hashes[place])
        else:
            originals[picture.id] = original
    return originals


def _best_first(picture: Prepared) -> tuple[int, int, str]:
    return -picture.width * picture.height, -picture.bytes, picture.id


def _hashes(texts: Iterable[str]) -> np.ndarray:
    return np.fromiter((int(text, 16) for text in texts), np.uint64)


class _Kept:
    """The pictures that are kept so far, best first, in arrays with room for all."""

    def __init__(self, room: int, distance: int) -> None:
        self.distance = distance
        self.ids: list[str] = []
        self.by_pixels: dict[str, str] = {}
        self.hashes = np.empty(room, np.uint64)
        self.looks: np.ndarray | None = None  # (room, LOOK, LOOK, C) uint8

    def add(self, picture: Prepared, phash: np.uint64) -> None:
        """Keep `picture`."""
        look = look_of(picture)
        if self.looks is None:
            self.looks = np.empty((len(self.hashes), *look.shape), np.uint8)
        self.looks[len(self.ids)] = look
        self.hashes[len(self.ids)] = phash
        self.ids.append(picture.id)
        self.by_pixels[picture.sha256] = picture.id

    def same_pixels(self, picture: Prepared) -> str | None:
        """The id of the one kept whose square is that of `picture`."""
        return self.by_pixels.get(picture.sha256)

    def same_look(self, phash: np.uint64, mirror: np.uint64, look: np.ndarray) -> str | None:
        """The id of the best one kept that shows the same as what has these hashes and this `look`, or its mirror
        image.
        """
        if self.looks is None or variance(look) < PLAIN:
            return None
        alike = [*self._alike(phash, look), *self._alike(mirror, mirrored(look))]
        return self.ids[min(alike)] if alike else None

    def _alike(self, phash: np.uint64, look: np.ndarray) -> np.ndarray:
        """The places of those kept with a near hash and a like look."""
        places = np.flatnonzero(np.bitwise_count(self.hashes[: len(self.ids)] ^ phash) <= self.distance)
        return places[difference(self.looks[places], look) <= ALIKE]


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


def look_of(picture: Prepared) -> np.ndarray:
    """The small copy of `picture`, (LOOK, LOOK, C) uint8."""
    return np.frombuffer(base64.b64decode(picture.look), np.uint8).reshape(LOOK, LOOK, -1)
