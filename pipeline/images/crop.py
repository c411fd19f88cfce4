"""Make a square of a picture."""

import cv2
import numpy as np
from PIL import ImageColor

from pipeline.images.raster import Raster
from pipeline.options import NormalizeOptions


def fit(picture: Raster | np.ndarray, options: NormalizeOptions) -> np.ndarray:
    """`picture`, RGB, as (size, size, C) uint8; C is 1 for grey (Rec. 601 luma), else 3.

    crop keeps the centre; pad keeps everything and fills the rest with the background; squash changes the proportions.
    """
    raster = picture if isinstance(picture, Raster) else Raster.of(picture)
    square = _FITS[options.fit](raster, options)
    if options.colour == "grey":
        return cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    return square


def centre(picture: Raster, size: int) -> np.ndarray:
    """The largest square in the middle of `picture`: (size, size, C) uint8."""
    side = min(picture.height, picture.width)
    top, left = (picture.height - side) // 2, (picture.width - side) // 2
    return picture.shown(top=top, left=left, height=side, width=side, size=(size, size))


def padded(picture: Raster, size: int, background: str) -> np.ndarray:
    """All of `picture` in the middle of a square of `background`: (size, size, 3) uint8."""
    scale = size / max(picture.height, picture.width)
    rows, columns = max(1, round(picture.height * scale)), max(1, round(picture.width * scale))
    square = np.empty((size, size, 3), np.uint8)
    square[:] = ImageColor.getrgb(background)[:3]
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = _stretched(picture, (rows, columns))
    return square


def whole(picture: Raster, size: int) -> np.ndarray:
    """All of `picture`, stretched to a square: (size, size, C) uint8."""
    return _stretched(picture, (size, size))


def _stretched(picture: Raster, size: tuple[int, int]) -> np.ndarray:
    return picture.shown(top=0, left=0, height=picture.height, width=picture.width, size=size)


def _crop(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return centre(picture, options.size)


def _pad(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return padded(picture, options.size, options.background)


def _squash(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return whole(picture, options.size)


_FITS = {"crop": _crop, "pad": _pad, "squash": _squash}
