"""Pictures of any size and either colour as the squares that features are made of."""

import numpy as np

from pipeline.images.raster import resize


def squares(images: np.ndarray, side: int) -> np.ndarray:
    """`images` (N, H, W, C) uint8, C 1 or 3, as (N, side, side, 3) uint8; grey becomes three equal channels."""
    found = np.empty((len(images), side, side, 3), np.uint8)
    for place, image in enumerate(images):
        found[place] = resize(np.broadcast_to(image, (*image.shape[:2], 3)), side, side)
    return found


def mirrored(images: np.ndarray) -> np.ndarray:
    """`images` (N, H, W, C) with left and right exchanged."""
    return images[:, :, ::-1]
