"""How much thumbnails differ, and a list of thumbnails that others are compared with, of which most differ already in
their averages.
"""

from typing import NamedTuple

import numpy as np

BLOCK = 4  # pixels: whole grey levels of 4 x 4 pixels have averages that float32 holds without rounding
_SLACK = 1.001  # for the rounding of sums in float32


def difference(thumbnails: np.ndarray, thumbnail: np.ndarray) -> np.ndarray:
    """Mean squared difference of `thumbnails` (N, H, W, C) from `thumbnail` (H, W, C), divided by the smaller of the
    two variances.

    Returns:
        (N,); infinite if one of the two has a single colour.
    """
    return _difference(thumbnails, thumbnail, np.minimum(variance(thumbnails), variance(thumbnail)))


def _difference(thumbnails: np.ndarray, thumbnail: np.ndarray, smaller_variance: np.ndarray) -> np.ndarray:
    squares = (thumbnails.astype(np.float32) - thumbnail) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(squares.mean(axis=(-3, -2, -1)) / smaller_variance, nan=np.inf)


def variance(thumbnails: np.ndarray) -> np.ndarray:
    """The variance over the pixels of `thumbnails` (..., H, W, C), averaged over the channels."""
    return thumbnails.var(axis=(-3, -2), dtype=np.float32).mean(axis=-1)


class Thumbnail(NamedTuple):
    """A thumbnail with what it is compared by."""

    pixels: np.ndarray  # (S, S, C) uint8, S a multiple of BLOCK
    averages: np.ndarray  # (S / BLOCK * S / BLOCK * C,) float32, of its blocks
    variance: np.ndarray  # () float32

    @classmethod
    def of(cls, pixels: np.ndarray) -> "Thumbnail":
        """The thumbnail of these `pixels` (S, S, C)."""
        blocks = len(pixels) // BLOCK
        averages = pixels.reshape(blocks, BLOCK, blocks, BLOCK, -1).mean(axis=(1, 3), dtype=np.float32)
        return cls(pixels, averages.ravel(), variance(pixels))


class Thumbnails:
    """Thumbnails of one shape that others are compared with, at places from 0 on."""

    def __init__(self, capacity: int = 64) -> None:
        """An empty list; it grows when it has more than `capacity`."""
        self._count, self._capacity = 0, capacity
        self._fields: list[np.ndarray] = []  # for each of `Thumbnail`: (capacity, ...)

    def add(self, pixels: np.ndarray) -> int:
        """Add the thumbnail of these `pixels` (S, S, C) uint8; returns its place."""
        thumbnail = Thumbnail.of(pixels)
        if not self._fields:
            self._fields = [np.empty((self._capacity, *field.shape), field.dtype) for field in thumbnail]
        elif self._count == len(self._fields[0]):
            self._fields = [np.concatenate([each, np.empty_like(each)]) for each in self._fields]
        for field, value in zip(self._fields, thumbnail, strict=True):
            field[self._count] = value
        self._count += 1
        return self._count - 1

    def __getitem__(self, place: int) -> np.ndarray:
        return self._fields[0][place]

    def similar(self, places: np.ndarray, thumbnail: Thumbnail, most: float) -> np.ndarray:
        """Whether the `difference` of those at `places` (M,), M at least 1, from `thumbnail` is at most `most`: (M,)
        bool. Memory grows with M.

        The mean squared difference of averages is never above that of the pixels, so it rules out most.
        """
        pixels, averages, variances = self._fields
        smaller = np.minimum(variances[places], thumbnail.variance)
        distances = averages[places] - thumbnail.averages
        found = np.einsum("ij,ij->i", distances, distances) <= _SLACK * most * len(thumbnail.averages) * smaller
        if found.any():
            found[found] = _difference(pixels[places[found]], thumbnail.pixels, smaller[found]) <= most
        return found
