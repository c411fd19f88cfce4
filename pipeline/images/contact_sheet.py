"""Contact sheets: many pictures in rows and columns of one image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.images.png import encode_png
from pipeline.store.atomic import write_whole

GRID = 8  # rows and columns of a sample sheet; a sheet of few reals has fewer rows
GAP = 2  # pixels between the pictures of a sheet


def contact_sheet(
    images: Sequence[np.ndarray] | np.ndarray, columns: int, *, gap: int = GAP, background: int = 255
) -> np.ndarray:
    """Arrange `images`, (N, H, W, C) uint8, row by row on a contact sheet.

    Args:
        columns: maximum number of columns.
        gap: pixels between images.
        background: grey level of the gaps and of the empty end of the last row.

    Returns:
        (rows * (H + gap) - gap, columns * (W + gap) - gap, C) uint8; fewer images than `columns` give a narrower sheet.

    Raises:
        ValueError: `images` is empty.
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
    """Write `pixels`, (H, W), (H, W, 1) or (H, W, 3) RGB uint8, to the PNG file `path`, atomically and with fsync."""
    write_whole(path, encode_png(pixels))
