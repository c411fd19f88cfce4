"""Pictures that the tests draw: a disc as content, and textures as styles."""

import cv2
import numpy as np


def disc(side: int = 48, *, width: int = 0) -> np.ndarray:
    """A yellow disc on blue, (side, width, 3) uint8."""
    picture = np.full((side, width or side, 3), (40, 70, 150), np.uint8)
    cv2.circle(picture, ((width or side) // 2, side // 2), side // 3, (240, 200, 40), -1)
    return picture


def checks(side: int = 48, *, cell: int = 4, seed: int = 1) -> np.ndarray:
    """Squares of `cell` pixels in random colours, (side, side, 3) uint8."""
    count = -(-side // cell)
    colours = np.random.default_rng(seed).integers(0, 256, (count, count, 3), np.uint8)
    return np.ascontiguousarray(np.kron(colours, np.ones((cell, cell, 1), np.uint8))[:side, :side])


def stripes(side: int = 48) -> np.ndarray:
    """Red and white stripes, (side, side, 3) uint8."""
    picture = np.full((side, side, 3), 240, np.uint8)
    picture[:, np.arange(side) // 3 % 2 == 0] = (180, 30, 40)
    return picture
