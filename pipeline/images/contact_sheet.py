"""Contact sheets: many pictures on one, to be looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.images.png import encode_png
from pipeline.store.atomic import write_whole


def contact_sheet(
    images: Sequence[np.ndarray] | np.ndarray, columns: int, *, gap: int = 2, background: int = 255
) -> np.ndarray:
    """Lay out `images`, each (H, W, C) uint8 and all alike, row by row: (rows * (H + gap) - gap, ..., C) uint8.

    `gap` is in pixels; `background` is the grey level between pictures and where the last row ends early. A sheet of
    fewer than `columns` pictures is only as wide as they are. No pictures at all is a `ValueError`.
    """
    if not len(images):
        raise ValueError("a contact sheet needs at least one picture")
    height, width, channels = images[0].shape
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), background, images[0].dtype)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write `pixels`, (H, W), (H, W, 1) or (H, W, 3) RGB uint8, to `path` in one step, and onto the disk."""
    write_whole(path, encode_png(pixels))
