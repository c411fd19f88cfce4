"""A 64-bit hash of what a picture looks like: copies differ in few bits, other pictures in about half of them."""

import cv2
import numpy as np

from pipeline.images.raster import resize

_SIDE = 32  # of the grey picture that is transformed
_LOW = 8  # rows and columns of the lowest frequencies, one bit each
# How far above the median, in root mean squares. In a symmetric picture half of the frequencies are nothing but noise
# about zero, and so is the median; without this their bits would differ from copy to copy.
_MARGIN = 0.05
_MIRROR = np.float32([1, -1] * (_LOW // 2))


def phash(pixels: np.ndarray) -> int:
    """The DCT hash of `pixels` (H, W, C) uint8, C 1 or 3: which of the 8 x 8 lowest frequencies exceed their median.

    After "pHash" (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), with the
    8 x 8 corner of imagehash and imagededup, and a margin of our own. The highest bit is the constant term.
    """
    return _bits(_lowest(pixels))


def phash_both_ways(pixels: np.ndarray) -> tuple[int, int]:
    """The hash of `pixels`, and that of their mirror image, in which every other wave across is upside down."""
    low = _lowest(pixels)
    return _bits(low), _bits(low * _MIRROR)


def _lowest(pixels: np.ndarray) -> np.ndarray:
    """The lowest frequencies of the grey picture, (_LOW, _LOW)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels[..., 0]
    return cv2.dct(resize(grey, _SIDE, _SIDE).astype(np.float32))[:_LOW, :_LOW]


def _bits(low: np.ndarray) -> int:
    waves = low.ravel()[1:]
    threshold = np.sort(waves)[len(waves) // 2] + _MARGIN * np.sqrt(np.mean(waves**2))
    return int.from_bytes(np.packbits(low.ravel() > threshold).tobytes(), "big")


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """`pixels` (..., W, C) with left and right exchanged."""
    return np.ascontiguousarray(pixels[..., ::-1, :])
