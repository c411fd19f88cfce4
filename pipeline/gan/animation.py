"""The sheets of a training one after the other, as a film: how the same latents come to be pictures."""

import re
from pathlib import Path

import cv2
import numpy as np

from pipeline.gan.film import Film, write_gif, write_mp4
from pipeline.images.png import decode_png
from pipeline.images.raster import resize

Sheet = tuple[int, Path]  # its epoch and its file
NAME = "training"
MOST = 150  # frames; with more of them the film gets longer and shows no more
MOST_IN_GIF = 60  # one of a whole page of pictures must be shrunk the more, the more frames it has
SECONDS, FASTEST, SLOWEST = 10, 15, 2  # the length aimed at, and the bounds on frames a second
LARGEST = 720  # pixels; larger sheets are shrunk to it: a hundred and more of them have to fit the memory
HOLD = 2.0  # seconds that the last sheet stays on
STRIP, MARGIN, WIDTH = 16, 4, 250  # pixels; of the caption below a sheet of this width, larger ones' are larger
INK, PAPER = 70, 255


def animate(folder: Path, out: Path) -> int:
    """Write training.gif and training.mp4 into `out` from the sheets epoch-*.png in `folder`; returns the frames.

    The frames are spread evenly over the training, each with its epoch below it; the GIF has fewer, as it would not
    be large enough to see otherwise. Without a sheet nothing is written. Errors: a `UserError` as of `write_mp4`, when
    the GIF is there; a `ValueError` for sheets of more than one size.
    """
    sheets = _thinned(_sheets(folder), MOST)
    if sheets:
        write_gif(_film(_thinned(sheets, MOST_IN_GIF)), out / f"{NAME}.gif")
        write_mp4(_film(sheets), out / f"{NAME}.mp4")
    return len(sheets)


def _film(sheets: list[Sheet]) -> Film:
    frames = np.stack([_captioned(_read(path), f"epoch {epoch}") for epoch, path in sheets])
    return Film(frames=frames, fps=min(FASTEST, max(SLOWEST, round(len(frames) / SECONDS))), hold=HOLD)


def _sheets(folder: Path) -> list[Sheet]:
    """Epoch and file of each sheet, in order."""
    found = [(re.fullmatch(r"epoch-(\d+)\.png", path.name), path) for path in folder.glob("epoch-*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)


def _thinned(sheets: list[Sheet], most: int) -> list[Sheet]:
    """At most `most` of them, the first and the last among those."""
    return [sheets[place] for place in np.linspace(0, len(sheets) - 1, min(len(sheets), most)).astype(int)]


def _read(path: Path) -> np.ndarray:
    """A sheet (H, W, C) uint8, no wider or higher than `LARGEST`."""
    sheet = decode_png(path.read_bytes())
    height, width, channels = sheet.shape
    shrink = min(1, LARGEST / max(height, width))
    size = round(width * shrink), round(height * shrink)
    return resize(sheet, *size).reshape(*size[::-1], channels) if shrink < 1 else sheet


def _captioned(sheet: np.ndarray, text: str) -> np.ndarray:
    """`sheet` (H, W, C) with `text` on a strip below it."""
    scale = max(1, round(sheet.shape[1] / WIDTH))
    strip = np.full((STRIP * scale, sheet.shape[1], sheet.shape[2]), PAPER, np.uint8)
    place, ink = (MARGIN * scale, (STRIP - MARGIN) * scale), (INK,) * sheet.shape[2]
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_PLAIN, 0.75 * scale, ink, 1, cv2.LINE_AA)
    return np.vstack([sheet, strip])
