"""The bytes that the site serves for an entry of the catalogue."""

import cv2
import numpy as np

from pipeline.demo.catalogue import Entry, entry
from pipeline.demo.encode import encode
from pipeline.demo.picture import cut_out, draw

_SIZES = {"banner": (960, 120)}  # eight times as wide as high
_ICON = 16  # pixels
_LOGIN = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><p>Log in to see this.</p></body></html>\n"


def file_of(entry_: Entry, seed: int) -> bytes | None:
    """What is served for an entry on the site of `seed`; None for a dead link. The same bytes every time."""
    if entry_.form == "missing":
        return None
    if entry_.form == "page":
        return _LOGIN
    if entry_.form == "again":
        return file_of(entry(entry_.of), seed)
    rng = np.random.default_rng([seed, entry_.number])
    return encode(_pixels(entry_, seed, rng), entry_.form, rng)


def _pixels(entry_: Entry, seed: int, rng: np.random.Generator) -> np.ndarray:
    if entry_.of is not None:
        return _altered(draw(entry_.subject, np.random.default_rng([seed, entry_.of])), entry_.form, rng)
    if entry_.form == "alpha":
        return cut_out(entry_.subject, rng)
    pixels = draw(entry_.subject, rng, _SIZES.get(entry_.form))
    return cv2.resize(pixels, (_ICON, _ICON), interpolation=cv2.INTER_AREA) if entry_.form == "icon" else pixels


def _altered(pixels: np.ndarray, form: str, rng: np.random.Generator) -> np.ndarray:
    """A copy as others put it on their pages: smaller or larger, or mirrored."""
    if form == "mirrored":
        return np.ascontiguousarray(pixels[:, ::-1])
    if form == "resized":
        scale = rng.choice([rng.uniform(0.55, 0.85), rng.uniform(1.2, 1.6)])
        return cv2.resize(
            pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    return pixels
