"""Encode the demo's pictures as files: several formats, and files that are damaged on purpose."""

from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
from PIL import ExifTags, Image

from pipeline.demo.catalogue import Entry, entry
from pipeline.demo.picture import cut_out, draw

# Orientation tag -> the transform of the stored pixels that a viewer reverses by the tag
_TURNS = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def encode(pixels: np.ndarray, form: str, rng: np.random.Generator) -> bytes:
    """Encode `pixels`, (H, W, 3) or (H, W, 4) uint8, in one of `FORMS`."""
    return FORMS[form](pixels, rng)


def _saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    blob = BytesIO()
    picture.save(blob, kind, **how)
    return blob.getvalue()


def _jpeg(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels), "JPEG", quality=int(rng.integers(80, 93)))


def _poor_jpeg(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels), "JPEG", quality=int(rng.integers(50, 66)))


def _cmyk(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=90)


def _turned(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    orientation = int(rng.choice(list(_TURNS)))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return _saved(Image.fromarray(pixels).transpose(_TURNS[orientation]), "JPEG", quality=88, exif=exif)


def _cut(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    whole = _jpeg(pixels, rng)
    return whole[: len(whole) // 2]


def _png(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels), "PNG", compress_level=3)


def _palette(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels).quantize(64), "PNG")


def _deep(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """A 16-bit PNG, half of them grey."""
    deep = pixels.astype(np.uint16) * 257
    shown = deep[..., ::-1] if rng.random() < 0.5 else cv2.cvtColor(deep, cv2.COLOR_RGB2GRAY)
    return cv2.imencode(".png", np.ascontiguousarray(shown))[1].tobytes()


def _animated(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """A GIF with the picture first, then two frames in which it moves down."""
    first, *others = (Image.fromarray(np.roll(pixels, step, axis=0)).quantize(96) for step in (0, 8, 16))
    return _saved(first, "GIF", save_all=True, append_images=others, duration=200, loop=0)


def _webp(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return _saved(Image.fromarray(pixels), "WEBP", quality=int(rng.integers(75, 90)), method=2)


FORMS: dict[str, Callable[[np.ndarray, np.random.Generator], bytes]] = {
    **dict.fromkeys(("jpeg", "late", "banner", "resized", "mirrored"), _jpeg),
    "recompressed": _poor_jpeg,
    "cmyk": _cmyk,
    "turned": _turned,
    "cut": _cut,
    **dict.fromkeys(("png", "alpha", "icon"), _png),
    "palette": _palette,
    "deep": _deep,
    "animated": _animated,
    "webp": _webp,
}


_SIZES = {"banner": (960, 120)}  # pixels
_ICON = 16  # pixels
_LOGIN = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><p>Log in to see this.</p></body></html>\n"


def file_of(entry_: Entry, seed: int) -> bytes | None:
    """The bytes of an entry on the site of `seed`, deterministic; None for a dead link."""
    if entry_.form == "missing":
        return None
    if entry_.form == "page":
        return _LOGIN
    if entry_.form == "again":
        assert entry_.of is not None  # its form says that there is another
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
    """A near-duplicate as on other sites: resized or mirrored."""
    if form == "mirrored":
        return np.ascontiguousarray(pixels[:, ::-1])
    if form == "resized":
        scale = rng.choice([rng.uniform(0.55, 0.85), rng.uniform(1.2, 1.6)])
        return cv2.resize(
            pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    return pixels
