"""The hands that pictures are drawn in: how shapes are filled, and what is done to the finished picture."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Finish = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Style:
    """`soft` and `line` as in `Look`; `finish` changes the (H, W, 3) uint8 pixels at the end."""

    soft: bool
    line: float = 0.0
    finish: Finish


def _plain(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return pixels


def _painted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little uneven, as brushes leave it."""
    return _mottled(pixels, rng, cells=7, strength=5.0)


def _crayon(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Edges that waver, and slanting strokes through which the paper shows."""
    height, width = pixels.shape[:2]
    waver = [_smooth_noise(rng, (height, width), 12) * 1.8 for _ in range(2)]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(pixels, x + waver[0], y + waver[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    slant = np.eye(7, dtype=np.float32)[::-1] / 7
    strokes = cv2.filter2D(_noise(rng, (height, width)), -1, slant)
    paper = np.clip(0.06 + 0.42 * strokes, 0, 0.6)[..., np.newaxis]
    return (moved + (np.float32([250, 247, 238]) - moved) * paper).astype(np.uint8)


def _dusk(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Late light: dark and violet above, some warmth below."""
    height = pixels.shape[0]
    warm = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    tint = np.float32([0.60, 0.52, 0.78]) * (1 - warm) + np.float32([0.88, 0.62, 0.60]) * warm
    return np.clip(pixels * tint * np.float32(rng.uniform(0.9, 1.15)), 0, 255).astype(np.uint8)


def _mottled(pixels: np.ndarray, rng: np.random.Generator, *, cells: int, strength: float) -> np.ndarray:
    spots = _smooth_noise(rng, pixels.shape[:2], cells) * strength + _noise(rng, pixels.shape[:2]) * 2
    return np.clip(pixels + spots[..., np.newaxis], 0, 255).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Noise of about unit variance whose bumps are as large as a picture's `cells`-th part."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(size, dtype=np.float32)


STYLES = {
    "flat": Style(soft=False, finish=_plain),
    "outlined": Style(soft=False, line=0.016, finish=_plain),
    "painted": Style(soft=True, finish=_painted),
    "crayon": Style(soft=False, line=0.010, finish=_crayon),
    "dusk": Style(soft=True, finish=_dusk),
}
