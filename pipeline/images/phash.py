"""A 64-bit hash of what a picture looks like: copies differ in few bits, other pictures in about half of them."""

import cv2
import numpy as np

from pipeline.images.raster import resize

_SIDE = 32  # of the grey picture that is transformed
_LOW = 8  # rows and columns of the lowest frequencies, one bit each
# How far above the median, in root mean squares. In a symmetric picture half of the frequencies are nothing but noise
# about zero, and so is the median; without this their bits would differ from copy to copy.
_MARGIN = 0.05


def phash(pixels: np.ndarray) -> int:
    """The DCT hash of `pixels` (H, W, C) uint8, C 1 or 3: which of the 8 x 8 lowest frequencies exceed their median.

    After "pHash" (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), with the
    8 x 8 corner of imagehash and imagededup, and a margin of our own. The highest bit is the constant term.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels[..., 0]
    low = cv2.dct(resize(grey, _SIDE, _SIDE).astype(np.float32))[:_LOW, :_LOW].ravel()
    waves = low[1:]
    threshold = np.median(waves) + _MARGIN * np.sqrt(np.mean(waves**2))
    return int.from_bytes(np.packbits(low > threshold).tobytes(), "big")


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """`pixels` (..., W, C) with left and right exchanged."""
    return np.ascontiguousarray(pixels[..., ::-1, :])
