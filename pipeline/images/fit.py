"""Make a square of a picture."""

import cv2
import numpy as np
from PIL import ImageColor

from pipeline.options import NormalizeOptions


def fit(pixels: np.ndarray, options: NormalizeOptions) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 RGB as (size, size, C) uint8; C is 1 for grey (Rec. 601 luma), else 3.

    crop keeps the centre; pad keeps everything and fills the rest with the background; squash changes the proportions.
    """
    square = _FITS[options.fit](pixels, options)
    if options.colour == "grey":
        return cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    return square


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """`pixels` (H, W, C) uint8 at another size: an axis is averaged over areas if it shrinks, and cubic if it grows."""
    rows, columns = pixels.shape[:2]
    small = cv2.resize(pixels, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _crop(pixels: np.ndarray, options: NormalizeOptions) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(pixels[top : top + side, left : left + side], options.size, options.size)


def _pad(pixels: np.ndarray, options: NormalizeOptions) -> np.ndarray:
    size, (height, width) = options.size, pixels.shape[:2]
    scale = size / max(height, width)
    small = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.empty((size, size, 3), np.uint8)
    square[:] = ImageColor.getrgb(options.background)[:3]
    top, left = (size - small.shape[0]) // 2, (size - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def _squash(pixels: np.ndarray, options: NormalizeOptions) -> np.ndarray:
    return resize(pixels, options.size, options.size)


_FITS = {"crop": _crop, "pad": _pad, "squash": _squash}
