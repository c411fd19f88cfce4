"""What needs no learning: where the edges of a picture run, and which colours lie where."""

import cv2
import numpy as np

SIDE = 64
CELL = 8  # pixels a side: 8 x 8 cells in a picture
DIRECTIONS = 9  # of an edge, over half a turn
HUES, SATURATIONS = 12, 4
WINDOW, STEP = 32, 16  # colours are counted in 3 x 3 overlapping windows
COLOURS = 3 * 3 * HUES * SATURATIONS  # numbers of colours
SIZE = 7 * 7 * 4 * DIRECTIONS + COLOURS  # and of all


def histograms(images: np.ndarray) -> np.ndarray:
    """`images` (N, 64, 64, 3) uint8 as (N, 2196) float32: 7 x 7 x 36 of gradients, then 3 x 3 x 48 of colours."""
    rows = [np.concatenate([gradients(image), colours(image)]) for image in images]
    return np.array(rows, np.float32).reshape(len(images), -1)


def gradients(image: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) of one picture, each 2 x 2 cells scaled alike."""
    grey = image.astype(np.float32).mean(axis=2) / 255
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *axes, ksize=1) for axes in ((1, 0), (0, 1)))
    direction = np.floor(np.arctan2(down, across) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    strength = np.hypot(across, down)[..., np.newaxis] * (direction[..., np.newaxis] == np.arange(DIRECTIONS))
    cells = strength.reshape(SIDE // CELL, CELL, SIDE // CELL, CELL, DIRECTIONS).sum(axis=(1, 3))
    blocks = np.concatenate([cells[:-1, :-1], cells[1:, :-1], cells[:-1, 1:], cells[1:, 1:]], axis=-1)
    return (blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-2)).ravel()


def colours(image: np.ndarray) -> np.ndarray:
    """Square roots of the shares of hue and saturation in each window: distances between them are Hellinger's."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    starts = range(0, SIDE - WINDOW + 1, STEP)
    counts = [_count(hsv[top : top + WINDOW, left : left + WINDOW]) for top in starts for left in starts]
    # Twice: colours then weigh about as much as gradients
    return 2 * np.sqrt(np.concatenate(counts) / WINDOW**2)


def _count(window: np.ndarray) -> np.ndarray:
    return cv2.calcHist([window], [0, 1], None, [HUES, SATURATIONS], [0, 180, 0, 256]).ravel()
