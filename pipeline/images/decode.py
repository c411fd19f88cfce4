"""Turn the bytes of a picture into upright RGB pixels, or say why not. No byte string makes it raise."""

import warnings
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from pipeline.images.colour import UnusualPixels, follow_profile, to_rgb
from pipeline.images.quality import SIZE as QUALITY_SIZE
from pipeline.images.raster import Raster
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

# A large picture is averaged over blocks first, a JPEG even while it is decoded: that is several times as fast, and
# the steps to sRGB need little memory. With this many blocks a side for each pixel of the square, photographs differ
# by about one grey level from squares of whole decodings, and none by more than four. A JPEG's own blocks must be more,
# for they lack some detail.
SPARE, SPARE_JPEG = 1.6, 1.75
JPEG_SCALES = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
ANY_ASPECT = 1e9  # longer than any picture
_JPEGS = ("JPEG", "MPO")
_END_OF_IMAGE, _NO_DATA = b"\xff\xd9", 128
_AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A picture's first frame: `raster` is sRGB and upright; `width` and `height` are as its header has them."""

    raster: Raster
    width: int
    height: int

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8; for a large picture averages over blocks."""
        return self.raster.pixels


def decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    """Decode `data` for a square of `options.size`, within the limits of `options`.

    Size and shape are looked at in the header, before any pixel is decoded. Nothing is warned about; of damaged JPEGs
    the decoder may say something on stderr.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, options)
    except Exception as error:  # a damaged file may raise anything in a decoder
        return Rejected(reason=_reason(error))


def decode_what_there_is(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    """As `decode`, for people to look at: of any shape, and if the file is cut short, what comes before that.

    Changes a setting of Pillow's for that long: not for use by several threads.
    """
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return decode(data, options.model_copy(update={"min_side": 1, "max_aspect": ANY_ASPECT}))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        try:
            _check_size(width, height, options)
            size = max(options.size, QUALITY_SIZE)
            raster = _decode_jpeg(data, picture, size) or _decode_any(picture, size, options.background)
        except Exception as error:
            return Rejected(reason=_reason(error), width=width, height=height)
    return Decoded(raster=raster, width=width, height=height)


def _decode_jpeg(data: bytes, picture: Image.Image, size: int) -> Raster | None:
    """The usual JPEG by OpenCV, which is faster; None for all others, and where it fails: Pillow will say why."""
    if picture.format not in _JPEGS or picture.mode not in ("L", "RGB"):
        return None
    step, factor = _steps(picture, size)
    flags = JPEG_SCALES.get(step, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    width, height = picture.size
    if pixels is None or pixels.shape[:2] != (-(-height // step), -(-width // step)) or _ends_early(data, pixels):
        return None
    pixels = cv2.cvtColor(_averaged(pixels, factor), cv2.COLOR_BGR2RGB)
    if "icc_profile" in picture.info:
        pixels = follow_profile(pixels, picture)
    return Raster(pixels=pixels, height=height, width=width, scale=step * factor).turned(_orientation(picture))


def _ends_early(data: bytes, pixels: np.ndarray) -> bool:
    """Whether the JPEG may have run out before the last pixel, which is then grey; OpenCV makes nothing of it."""
    return bool((pixels[-1, -1] == _NO_DATA).all()) or data.rfind(_END_OF_IMAGE) < 0


def _averaged(pixels: np.ndarray, factor: int) -> np.ndarray:
    """`pixels` (H, W, C) averaged over blocks of `factor`; those at the end go on as the picture ends."""
    if factor < 2:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = -(-height // factor), -(-width // factor)
    filled = cv2.copyMakeBorder(pixels, 0, rows * factor - height, 0, columns * factor - width, cv2.BORDER_REPLICATE)
    return cv2.resize(filled, (columns, rows), interpolation=cv2.INTER_AREA)


def _decode_any(picture: Image.Image, size: int, background: str) -> Raster:
    """Any picture by Pillow, which raises what is wrong with it."""
    width, height = picture.size
    step, factor = _steps(picture, size)
    picture.draft(None, (width // step, height // step))  # does nothing but for a JPEG
    picture.load()
    if step == 1:
        width, height = picture.size  # Pillow turns a TIFF by itself
    if not _can_be_averaged(picture):
        factor = 1
    pixels = to_rgb(picture.reduce(factor) if factor > 1 else picture, background)
    raster = Raster(pixels=pixels, height=height, width=width, scale=step * factor)
    return raster.turned(_orientation(picture))


def _steps(picture: Image.Image, size: int) -> tuple[int, int]:
    """How many times smaller `picture` can be decoded for a square of `size`, and then be averaged."""
    least = min(picture.size)
    jpeg = picture.format in _JPEGS
    step = next((step for step in JPEG_SCALES if jpeg and step * SPARE_JPEG * size <= least), 1)
    return step, max(1, int(least / (step * SPARE * size)))


def _can_be_averaged(picture: Image.Image) -> bool:
    """Whether pixels may be averaged before they are made RGB: not those of palettes, nor with a transparent colour."""
    return picture.mode in _AVERAGED and "transparency" not in picture.info


class _OutOfBounds(Exception):
    """The header promises a picture outside the limits; the text is the reason."""


def _check_size(width: int, height: int, options: NormalizeOptions) -> None:
    if width * height > options.max_pixels:
        raise _OutOfBounds(TOO_MANY_PIXELS)
    if min(width, height) < options.min_side:
        raise _OutOfBounds(TOO_SMALL)
    if max(width, height) > options.max_aspect * min(width, height):
        raise _OutOfBounds(TOO_LONG)


def _orientation(picture: Image.Image) -> int | None:
    """How EXIF or XMP asks for `picture` to be turned; None when neither says so or can be read."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # EXIF is often damaged by editors; the pixels are still good
        return None


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
