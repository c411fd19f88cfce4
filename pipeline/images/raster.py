"""A picture as averages over blocks of its pixels, and resampling of a part of it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

# Weights are multiples of 1/2048 and the intermediate values multiples of 1/16 grey level: 23 bits in total. So float32
# adds them without rounding, in any order, and the result is bit-identical on every processor.
_WEIGHT_SCALE, _VALUE_SCALE = 2048, 16
_BAND_CELLS = 16  # output pixels computed in one matrix product: only few averages contribute to them
# By EXIF orientation: transpose, then flip vertically, then mirror
_EXIF_TRANSFORMS = {
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
    """A picture of `height` x `width` pixels, stored as averages `pixels` (H, W, C) uint8 over blocks of `scale` x
    `scale`.

    The first block begins at row `top` and column `left` of the picture: 0, or negative if the picture was rotated and
    an incomplete block is now the first one.
    """

    pixels: np.ndarray
    height: int
    width: int
    scale: int = 1
    top: int = 0
    left: int = 0

    @classmethod
    def from_pixels(cls, pixels: np.ndarray) -> "Raster":
        """A raster that stores every pixel."""
        return cls(pixels=pixels, height=pixels.shape[0], width=pixels.shape[1])

    def oriented(self, orientation: int | None) -> "Raster":
        """Apply the EXIF `orientation`; 1, None and invalid values change nothing."""
        if orientation not in _EXIF_TRANSFORMS:
            return self
        transposed, flipped, mirrored_ = _EXIF_TRANSFORMS[orientation]
        pixels, height, width = self.pixels, self.height, self.width
        if transposed:
            pixels, height, width = pixels.swapaxes(0, 1), width, height
        rows, columns = (count * self.scale for count in pixels.shape[:2])
        pixels = pixels[:: -1 if flipped else 1, :: -1 if mirrored_ else 1]
        return Raster(
            pixels=np.ascontiguousarray(pixels),
            height=height,
            width=width,
            scale=self.scale,
            top=height - rows if flipped else 0,
            left=width - columns if mirrored_ else 0,
        )

    def resample(self, *, top: int, left: int, height: int, width: int, size: tuple[int, int]) -> np.ndarray:
        """Resample a part of the picture, given in pixels, to `size` (rows, columns): (*size, C) uint8."""
        if self.scale == 1:
            return resize(self.pixels[top : top + height, left : left + width], size[1], size[0])
        rows = _Axis.covering(self.pixels.shape[0], top - self.top, height, self.scale)
        columns = _Axis.covering(self.pixels.shape[1], left - self.left, width, self.scale)
        part = self.pixels[rows.first : rows.last, columns.first : columns.last]
        return _weighted_averages(part, rows.bands(size[0]), columns.bands(size[1]))


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize `pixels` (H, W, C) uint8: area average along an axis that shrinks, bicubic along one that grows."""
    rows, columns = pixels.shape[:2]
    small = cv2.resize(pixels, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def squares(images: np.ndarray, side: int) -> np.ndarray:
    """Resize `images` (N, H, W, C) uint8, C 1 or 3, to (N, side, side, 3) uint8; grey becomes three equal channels."""
    found = np.empty((len(images), side, side, 3), np.uint8)
    for index, image in enumerate(images):
        found[index] = resize(np.broadcast_to(image, (*image.shape[:2], 3)), side, side)
    return found


def mirrored(images: np.ndarray) -> np.ndarray:
    """Flip `images` (..., H, W, C) horizontally."""
    return np.ascontiguousarray(images[..., ::-1, :])


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """The blocks `first` to `last` of one axis; the part to resample begins at `start` and has `length`, in blocks."""

    first: int
    last: int
    start: float
    length: float

    @classmethod
    def covering(cls, count: int, start: int, length: int, scale: int) -> "_Axis":
        """The blocks that contain the pixels from `start` on, and one neighbour on each side if there is one."""
        first, last = max(0, start // scale - 1), min(count, -(-(start + length) // scale) + 1)
        return cls(first=first, last=last, start=start / scale - first, length=length / scale)

    def bands(self, cells: int) -> list["_Band"]:
        """The weights for `cells` output pixels, in bands."""
        return _bands(self.last - self.first, self.start, self.length, cells)


class _Band(NamedTuple):
    """Some output pixels of an axis, the averages that contribute, and their weights (cells, averages) in
    1/_WEIGHT_SCALE.
    """

    cells: slice
    averages: slice
    weights: np.ndarray


@lru_cache(maxsize=64)  # many pictures of a dataset have the same size
def _bands(count: int, start: float, length: float, cells: int) -> list[_Band]:
    """The weights of `count` averages in `cells` equal parts, in bands without most of the zeros."""
    weights, bands = _weights(count, start, length, cells), []
    for first in range(0, cells, _BAND_CELLS):
        some = slice(first, min(first + _BAND_CELLS, cells))
        used = np.flatnonzero(weights[some].any(axis=0))
        averages = slice(used[0], used[-1] + 1)
        bands.append(_Band(some, averages, np.ascontiguousarray(weights[some, averages])))
    return bands


def _weights(count: int, start: float, length: float, cells: int) -> np.ndarray:
    """The weight of each of `count` averages in each of `cells` equal parts: (cells, count) in 1/_WEIGHT_SCALE.

    Within a block the picture is modelled as the parabola that has the block's average and continues into its
    neighbours: the cumulative sums at the borders of blocks are known, a cubic through them (Catmull-Rom) gives the
    sums at other positions, and the average of a part is the difference of two sums. Compared with averages of the
    pixels themselves, this halves the error of blocks with one constant level.
    """
    edges = np.minimum(start + length / cells * np.arange(cells + 1), count)
    between = np.minimum(edges.astype(int), count - 1)
    t = edges - between
    # Sums at the borders -1 to count + 1; the outermost two assume that the picture continues with its last level
    sums = np.zeros((cells + 1, count + 3))
    for index, weight in enumerate(
        (-t / 2 + t**2 - t**3 / 2, 1 - 2.5 * t**2 + 1.5 * t**3, t / 2 + 2 * t**2 - 1.5 * t**3, (t**3 - t**2) / 2)
    ):
        sums[np.arange(cells + 1), between + index] += weight
    sums[:, 1] += 2 * sums[:, 0]
    sums[:, 2] -= sums[:, 0]
    sums[:, -2] += 2 * sums[:, -1]
    sums[:, -3] -= sums[:, -1]
    parts = np.diff(sums[:, 1:-1], axis=0)
    shares = parts[:, :0:-1].cumsum(axis=1)[:, ::-1] / np.diff(edges)[:, np.newaxis]
    weights = np.rint(shares * _WEIGHT_SCALE)
    weights[np.arange(cells), weights.argmax(axis=1)] += _WEIGHT_SCALE - weights.sum(axis=1)
    return weights.astype(np.float32)


def _weighted_averages(pixels: np.ndarray, rows: list[_Band], columns: list[_Band]) -> np.ndarray:
    """Resample `pixels` (H, W, C) uint8 by the weights of rows and columns: (h, w, C) uint8."""
    height, width, channels = pixels.shape
    planes: np.ndarray = np.empty((height, channels, width), np.float32)
    planes[:] = pixels.transpose(0, 2, 1)
    planes = planes.reshape(height, channels * width)
    short = np.empty((rows[-1].cells.stop, channels * width), np.float32)
    for band in rows:
        np.matmul(band.weights, planes[band.averages], out=short[band.cells])
    np.rint(np.multiply(short, _VALUE_SCALE / _WEIGHT_SCALE, out=short), out=short)
    short = short.reshape(-1, width)
    small = np.empty((len(short), columns[-1].cells.stop), np.float32)
    for band in columns:
        np.matmul(short[:, band.averages], band.weights.T, out=small[:, band.cells])
    np.rint(np.multiply(small, 1 / (_VALUE_SCALE * _WEIGHT_SCALE), out=small), out=small)
    small = np.clip(small, 0, 255, out=small).astype(np.uint8).reshape(-1, channels, small.shape[1])
    merged = cv2.merge([small[:, channel] for channel in range(channels)])
    return merged.reshape(*merged.shape[:2], channels)  # OpenCV drops the axis of a single channel
