"""What can be shown of a picture that was rejected. Made in the processes that may be lost to a decoder."""

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.images.decode import Decoded, decode_what_there_is
from pipeline.images.fit import padded
from pipeline.images.prepare import Raw
from pipeline.images.rejected import CRASHED, OUT_OF_MEMORY, TOO_MANY_PIXELS, TOO_SLOW
from pipeline.options import NormalizeOptions

SIDE = 64  # pixels
_NOT_AGAIN = (TOO_MANY_PIXELS, CRASHED, TOO_SLOW, OUT_OF_MEMORY)
_PAPER, _INK = 225, (70, 70, 70)


class Shown(NamedTuple):
    """A raw picture, and why it was rejected."""

    raw: Raw
    reason: str


def thumbnail(shown: Shown, *, options: NormalizeOptions) -> np.ndarray:
    """All of the picture, as far as it can be decoded, in (SIDE, SIDE, 3) uint8; else a tile that names it."""
    if shown.reason not in _NOT_AGAIN:
        found = decode_what_there_is(shown.raw.path.read_bytes(), options)
        if isinstance(found, Decoded):
            return padded(found.raster, SIDE, options.background)
    return tile(shown.raw)


def tile(raw: Raw) -> np.ndarray:
    """The first digits of the id and the size in bytes, in place of a picture: (SIDE, SIDE, 3) uint8."""
    paper = np.full((SIDE, SIDE, 3), _PAPER, np.uint8)
    for line, text in enumerate((raw.id[:8], f"{raw.path.stat().st_size} B")):
        cv2.putText(paper, text, (3, 28 + 16 * line), cv2.FONT_HERSHEY_PLAIN, 0.7, _INK, 1, cv2.LINE_AA)
    return paper
