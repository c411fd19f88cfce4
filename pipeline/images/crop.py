"""Make a picture square: centre crop, padding or stretching."""

import cv2
import numpy as np
from PIL import ImageColor

from pipeline.images.raster import Raster
from pipeline.options import NormalizeOptions


def fit_to_square(picture: Raster | np.ndarray, options: NormalizeOptions) -> np.ndarray:
    """Convert `picture` (RGB) to a square by the option `fit`: crop the centre, pad with the background, or squash.

    Returns:
        (size, size, C) uint8; C is 1 for grey (Rec. 601 luma), else 3.
    """
    raster = picture if isinstance(picture, Raster) else Raster.from_pixels(picture)
    square = _FITS[options.fit](raster, options)
    if options.colour == "grey":
        return cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    return square


def crop_centre(picture: Raster, size: int) -> np.ndarray:
    """Crop the largest centred square and resize it: (size, size, C) uint8."""
    side = min(picture.height, picture.width)
    top, left = (picture.height - side) // 2, (picture.width - side) // 2
    return picture.resample(top=top, left=left, height=side, width=side, size=(size, size))


def pad_to_square(picture: Raster, size: int, background: str) -> np.ndarray:
    """Fit the whole picture into a square of `background` colour: (size, size, 3) uint8."""
    scale = size / max(picture.height, picture.width)
    rows, columns = max(1, round(picture.height * scale)), max(1, round(picture.width * scale))
    square = np.empty((size, size, 3), np.uint8)
    square[:] = ImageColor.getrgb(background)[:3]
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = _resample_all(picture, (rows, columns))
    return square


def squash_to_square(picture: Raster, size: int) -> np.ndarray:
    """Stretch the whole picture to a square: (size, size, C) uint8."""
    return _resample_all(picture, (size, size))


def _resample_all(picture: Raster, size: tuple[int, int]) -> np.ndarray:
    return picture.resample(top=0, left=0, height=picture.height, width=picture.width, size=size)


def _crop(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return crop_centre(picture, options.size)


def _pad(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return pad_to_square(picture, options.size, options.background)


def _squash(picture: Raster, options: NormalizeOptions) -> np.ndarray:
    return squash_to_square(picture, options.size)


_FITS = {"crop": _crop, "pad": _pad, "squash": _squash}
