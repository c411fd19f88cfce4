"""Turn the bytes of a picture into upright RGB pixels, or say why not. No byte string makes it raise."""

import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.images.colour import UnusualPixels, to_rgb
from pipeline.images.rejected import (
    CORRUPT,
    OUT_OF_MEMORY,
    PIXEL_FORMAT,
    TOO_LONG,
    TOO_MANY_PIXELS,
    TOO_SMALL,
    TRUNCATED,
    UNKNOWN_FORMAT,
    Rejected,
)
from pipeline.options import NormalizeOptions

# The formats that the web uses. Pillow's other decoders are seldom tested and stay out of reach.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")

# A large picture is averaged down by a whole number first, a JPEG even while it is decoded: several times as fast, and
# the steps to sRGB need little memory. Sides are rounded up to whole pixels then; with this many for each final one,
# and this many in all, grey levels move by less than one and a half.
SPARE, LEAST = 8, 512
_AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A picture's first frame: `pixels` (H, W, 3) uint8, sRGB, upright; `width` and `height` as its header has them.

    H and W are smaller than the header's for a large picture, and exchanged where EXIF turned it on its side.
    """

    pixels: np.ndarray
    width: int
    height: int


def decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    """Decode `data` for a square of `options.size`, within the limits of `options`.

    Size and shape are looked at in the header, before any pixel is decoded. Nothing is printed or warned about.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, options)
    except Exception as error:  # a damaged file may raise anything in a decoder
        return Rejected(reason=_reason(error))


def _decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        try:
            _check_size(width, height, options)
            side = max(SPARE * options.size, LEAST)
            picture.draft(None, (side, side))  # does nothing but for a JPEG
            picture.load()
            pixels = to_rgb(_reduced(_upright(picture), side), options.background)
        except Exception as error:
            return Rejected(reason=_reason(error), width=width, height=height)
    return Decoded(pixels=pixels, width=width, height=height)


class _OutOfBounds(Exception):
    """The header promises a picture outside the limits; the text is the reason."""


def _check_size(width: int, height: int, options: NormalizeOptions) -> None:
    if width * height > options.max_pixels:
        raise _OutOfBounds(TOO_MANY_PIXELS)
    if min(width, height) < options.min_side:
        raise _OutOfBounds(TOO_SMALL)
    if max(width, height) > options.max_aspect * min(width, height):
        raise _OutOfBounds(TOO_LONG)


def _upright(picture: Image.Image) -> Image.Image:
    """`picture` turned as its EXIF or XMP orientation asks; as it is when there is none or it cannot be read."""
    try:
        turn = _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # EXIF is often damaged by editors; the pixels are still good
        return picture
    return picture if turn is None else picture.transpose(turn)


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """`picture` averaged down as far as both its sides stay at `side`; palettes and colour keys cannot be averaged."""
    factor = min(picture.size) // side
    if factor < 2 or picture.mode not in _AVERAGED or "transparency" in picture.info:
        return picture
    return picture.reduce(factor)


def _reason(error: Exception) -> str:
    if isinstance(error, _OutOfBounds):
        return str(error)
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return TRUNCATED if "truncated" in str(error).lower() else CORRUPT


_REASONS = {
    UnidentifiedImageError: UNKNOWN_FORMAT,
    Image.DecompressionBombError: TOO_MANY_PIXELS,
    UnusualPixels: PIXEL_FORMAT,
    MemoryError: OUT_OF_MEMORY,
}
