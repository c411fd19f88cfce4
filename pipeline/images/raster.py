"""A picture as averages over blocks of its pixels, and what of it is shown where."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

# Weights are whole 2048ths and what lies between the two passes whole 16ths of a grey level: 23 bits in all, so that
# float32 adds them up without rounding, in any order, and the same picture gives the same bytes on every processor.
_WHOLE, _FINE = 2048, 16
_BAND = 16  # cells whose weights are multiplied at once: few of the others' averages count in them
# How a turned picture is stored, by EXIF orientation: rows and columns exchanged, then upside down, then mirrored
_STORED = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True, kw_only=True)
class Raster:
    """A picture of `height` x `width`, known by `pixels` (H, W, C) uint8: averages over blocks of `scale` x `scale`.

    The first block begins at row `top` and column `left` of the picture: 0, or a little less where the picture was
    turned and the blocks that it does not fill have come first.
    """

    pixels: np.ndarray
    height: int
    width: int
    scale: int = 1
    top: int = 0
    left: int = 0

    @classmethod
    def of(cls, pixels: np.ndarray) -> "Raster":
        """Every pixel is known."""
        return cls(pixels=pixels, height=pixels.shape[0], width=pixels.shape[1])

    def turned(self, orientation: int | None) -> "Raster":
        """The picture as EXIF's `orientation` asks for it; as it is for 1, None and what EXIF does not know."""
        if orientation not in _STORED:
            return self
        exchanged, upside_down, reversed_ = _STORED[orientation]
        pixels, height, width = self.pixels, self.height, self.width
        if exchanged:
            pixels, height, width = pixels.swapaxes(0, 1), width, height
        rows, columns = (count * self.scale for count in pixels.shape[:2])
        pixels = pixels[:: -1 if upside_down else 1, :: -1 if reversed_ else 1]
        return Raster(
            pixels=np.ascontiguousarray(pixels),
            height=height,
            width=width,
            scale=self.scale,
            top=height - rows if upside_down else 0,
            left=width - columns if reversed_ else 0,
        )

    def shown(self, *, top: int, left: int, height: int, width: int, size: tuple[int, int]) -> np.ndarray:
        """The part of the picture that begins at (top, left) as `size` (rows, columns) pixels: (*size, C) uint8."""
        if self.scale == 1:
            return resize(self.pixels[top : top + height, left : left + width], size[1], size[0])
        rows = _Axis.over(self.pixels.shape[0], top - self.top, height, self.scale)
        columns = _Axis.over(self.pixels.shape[1], left - self.left, width, self.scale)
        part = self.pixels[rows.first : rows.last, columns.first : columns.last]
        return _averaged(part, rows.bands(size[0]), columns.bands(size[1]))


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """`pixels` (H, W, C) uint8 at another size: an axis is averaged over areas if it shrinks, and cubic if it grows."""
    rows, columns = pixels.shape[:2]
    small = cv2.resize(pixels, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Blocks `first` to `last` of a row or column; what is wanted of them begins at `start`, in blocks from `first`."""

    first: int
    last: int
    start: float
    length: float

    @classmethod
    def over(cls, count: int, start: int, length: int, scale: int) -> "_Axis":
        """What covers the pixels from `start` on, and one block more on each side where there is one."""
        first, last = max(0, start // scale - 1), min(count, -(-(start + length) // scale) + 1)
        return cls(first=first, last=last, start=start / scale - first, length=length / scale)

    def bands(self, cells: int) -> list["_Band"]:
        return _bands(self.last - self.first, self.start, self.length, cells)


class _Band(NamedTuple):
    """Some cells of an axis, the averages that count in them, and how much: (cells, averages) whole `_WHOLE`ths."""

    cells: slice
    averages: slice
    weights: np.ndarray


@lru_cache(maxsize=64)  # a set has many pictures of few sizes
def _bands(count: int, start: float, length: float, cells: int) -> list[_Band]:
    """The weights of `count` averages in `cells` equal parts, without most of those that are nothing."""
    weights, bands = _weights(count, start, length, cells), []
    for first in range(0, cells, _BAND):
        some = slice(first, min(first + _BAND, cells))
        used = np.flatnonzero(weights[some].any(axis=0))
        averages = slice(used[0], used[-1] + 1)
        bands.append(_Band(some, averages, np.ascontiguousarray(weights[some, averages])))
    return bands


def _weights(count: int, start: float, length: float, cells: int) -> np.ndarray:
    """How much each of `count` averages counts in each of `cells` equal parts: (cells, count) whole `_WHOLE`ths.

    Within a block the picture is taken for the parabola that has its average and goes on into its neighbours: the
    sums up to each border are known, a cubic through them (Catmull and Rom's) gives those up to any other place, and
    a part's average is the difference between two. Against averages of the pixels themselves this halves the error of
    blocks of one grey level each.
    """
    edges = np.minimum(start + length / cells * np.arange(cells + 1), count)
    between = np.minimum(edges.astype(int), count - 1)
    t = edges - between
    # Sums up to the borders -1 to count + 1; the outermost two follow from the picture going on as it ends
    sums = np.zeros((cells + 1, count + 3))
    for place, weight in enumerate(
        (-t / 2 + t**2 - t**3 / 2, 1 - 2.5 * t**2 + 1.5 * t**3, t / 2 + 2 * t**2 - 1.5 * t**3, (t**3 - t**2) / 2)
    ):
        sums[np.arange(cells + 1), between + place] += weight
    sums[:, 1] += 2 * sums[:, 0]
    sums[:, 2] -= sums[:, 0]
    sums[:, -2] += 2 * sums[:, -1]
    sums[:, -3] -= sums[:, -1]
    parts = np.diff(sums[:, 1:-1], axis=0)
    shares = parts[:, :0:-1].cumsum(axis=1)[:, ::-1] / np.diff(edges)[:, np.newaxis]
    weights = np.rint(shares * _WHOLE)
    weights[np.arange(cells), weights.argmax(axis=1)] += _WHOLE - weights.sum(axis=1)
    return weights.astype(np.float32)


def _averaged(pixels: np.ndarray, rows: list[_Band], columns: list[_Band]) -> np.ndarray:
    """`pixels` (H, W, C) uint8 under the weights of its rows and columns: (h, w, C) uint8."""
    height, width, channels = pixels.shape
    planes = np.empty((height, channels, width), np.float32)
    planes[:] = pixels.transpose(0, 2, 1)
    planes = planes.reshape(height, channels * width)
    short = np.empty((rows[-1].cells.stop, channels * width), np.float32)
    for band in rows:
        np.matmul(band.weights, planes[band.averages], out=short[band.cells])
    np.rint(np.multiply(short, _FINE / _WHOLE, out=short), out=short)
    short = short.reshape(-1, width)
    small = np.empty((len(short), columns[-1].cells.stop), np.float32)
    for band in columns:
        np.matmul(short[:, band.averages], band.weights.T, out=small[:, band.cells])
    np.rint(np.multiply(small, 1 / (_FINE * _WHOLE), out=small), out=small)
    small = np.clip(small, 0, 255, out=small).astype(np.uint8).reshape(-1, channels, small.shape[1])
    merged = cv2.merge([small[:, channel] for channel in range(channels)])
    return merged.reshape(*merged.shape[:2], channels)  # OpenCV drops a single channel


def squares(images: np.ndarray, side: int) -> np.ndarray:
    """`images` (N, H, W, C) uint8, C 1 or 3, as (N, side, side, 3) uint8; grey becomes three equal channels."""
    found = np.empty((len(images), side, side, 3), np.uint8)
    for place, image in enumerate(images):
        found[place] = resize(np.broadcast_to(image, (*image.shape[:2], 3)), side, side)
    return found


def mirrored(images: np.ndarray) -> np.ndarray:
    """`images` (..., W, C) with left and right exchanged."""
    return np.ascontiguousarray(images[..., ::-1, :])
