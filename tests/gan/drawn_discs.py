"""Draws pictures of discs to train on."""

import numpy as np


def draw_discs(count: int, *, size: int = 16, channels: int = 3) -> np.ndarray:
    """Bright discs on dark grounds, (count, size, size, channels) uint8: a network can distinguish them from noise."""
    draw = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size] + 0.5
    images = np.empty((count, size, size, channels), np.uint8)
    for image in images:
        centre, radius = draw.uniform(0.35, 0.65, 2) * size, draw.uniform(0.15, 0.35) * size
        inside = np.hypot(y - centre[0], x - centre[1]) < radius
        image[:] = np.where(inside[..., None], draw.integers(160, 256, channels), draw.integers(0, 80, channels))
    return images
