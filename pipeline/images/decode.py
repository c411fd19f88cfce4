"""Decode a picture to upright RGB pixels, or return the reason why it is rejected. No input raises an exception."""

import warnings
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from pipeline.images.colour import UnsupportedPixelFormat, apply_profile, to_rgb
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

# The usual formats of the web. Pillow's other decoders are less tested and are not used.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")

# A large picture is first averaged over blocks of pixels, a JPEG already by its decoder. This is several times faster,
# and the conversion to sRGB needs less memory. With this many blocks per pixel of the square along each side,
# photographs differ by about one grey level from squares of a full decoding, and none by more than four. A JPEG needs
# more blocks, because its decoder's averages lose some detail.
OVERSAMPLING, OVERSAMPLING_JPEG = 1.6, 1.75
JPEG_SCALES = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
UNLIMITED_ASPECT = 1e9
_JPEG_FORMATS = ("JPEG", "MPO")
_END_OF_IMAGE, _MISSING_DATA_LEVEL = b"\xff\xd9", 128
_AVERAGEABLE_MODES = ("L", "LA", "RGB", "RGBA", "CMYK")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The first frame of a picture: `raster` is sRGB and upright; `width` and `height` (pixels) are those of the
    header.
    """

    raster: Raster
    width: int
    height: int

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8; block averages if the picture is large."""
        return self.raster.pixels


def decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    """Decode `data` for a square of `options.size`, within the limits of `options`.

    Size and aspect ratio are checked in the header before pixels are decoded. Python warnings are suppressed; the JPEG
    decoder may print to stderr about damaged files.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, options)
    except Exception as error:  # a decoder may raise any exception for a damaged file
        return Rejected(reason=_reason(error))


def decode_partially(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    """Like `decode`, for contact sheets: accept any shape, and of a truncated file the part that exists.

    Changes a global setting of Pillow meanwhile, so it is not thread-safe.
    """
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return decode(data, options.model_copy(update={"min_side": 1, "max_aspect": UNLIMITED_ASPECT}))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _decode(data: bytes, options: NormalizeOptions) -> Decoded | Rejected:
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        try:
            _check_size(width, height, options)
            size = max(options.size, QUALITY_SIZE)
            raster = _decode_with_opencv(data, picture, size) or _decode_with_pillow(picture, size, options.background)
        except Exception as error:
            return Rejected(reason=_reason(error), width=width, height=height)
    return Decoded(raster=raster, width=width, height=height)


def _decode_with_opencv(data: bytes, picture: Image.Image, size: int) -> Raster | None:
    """Decode an ordinary JPEG with OpenCV, which is faster than Pillow; None for other files and if OpenCV fails."""
    if picture.format not in _JPEG_FORMATS or picture.mode not in ("L", "RGB"):
        return None
    step, factor = _reductions(picture, size)
    flags = JPEG_SCALES.get(step, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    width, height = picture.size
    if pixels is None or pixels.shape[:2] != (-(-height // step), -(-width // step)) or _may_be_truncated(data, pixels):
        return None
    pixels = cv2.cvtColor(_block_averages(pixels, factor), cv2.COLOR_BGR2RGB)
    if "icc_profile" in picture.info:
        pixels = apply_profile(pixels, picture)
    return Raster(pixels=pixels, height=height, width=width, scale=step * factor).oriented(_orientation(picture))


def _may_be_truncated(data: bytes, pixels: np.ndarray) -> bool:
    """Whether the JPEG may end before its last pixel, which OpenCV then fills with grey without an error."""
    return bool((pixels[-1, -1] == _MISSING_DATA_LEVEL).all()) or data.rfind(_END_OF_IMAGE) < 0


def _block_averages(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Average `pixels` (H, W, C) over blocks of `factor`; incomplete blocks at the end are padded with the
    last pixels.
    """
    if factor < 2:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = -(-height // factor), -(-width // factor)
    padded = cv2.copyMakeBorder(pixels, 0, rows * factor - height, 0, columns * factor - width, cv2.BORDER_REPLICATE)
    return cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)


def _decode_with_pillow(picture: Image.Image, size: int, background: str) -> Raster:
    """Decode any picture with Pillow, which raises an exception that names the problem."""
    width, height = picture.size
    step, factor = _reductions(picture, size)
    picture.draft(None, (width // step, height // step))  # has an effect on JPEG only
    picture.load()
    if step == 1:
        width, height = picture.size  # Pillow applies the orientation of a TIFF itself
    if not _can_be_averaged(picture):
        factor = 1
    pixels = to_rgb(picture.reduce(factor) if factor > 1 else picture, background)
    raster = Raster(pixels=pixels, height=height, width=width, scale=step * factor)
    return raster.oriented(_orientation(picture))


def _reductions(picture: Image.Image, size: int) -> tuple[int, int]:
    """The factors by which the JPEG decoder and then averaging can reduce `picture` for a square of `size`."""
    short_side = min(picture.size)
    jpeg = picture.format in _JPEG_FORMATS
    step = next((step for step in JPEG_SCALES if jpeg and step * OVERSAMPLING_JPEG * size <= short_side), 1)
    return step, max(1, int(short_side / (step * OVERSAMPLING * size)))


def _can_be_averaged(picture: Image.Image) -> bool:
    """Whether pixels may be averaged before the conversion to RGB: not with a palette or a transparent colour."""
    return picture.mode in _AVERAGEABLE_MODES and "transparency" not in picture.info


class _OutsideLimits(Exception):
    """The size in the header is outside the limits; the message is the reason."""


def _check_size(width: int, height: int, options: NormalizeOptions) -> None:
    if width * height > options.max_pixels:
        raise _OutsideLimits(TOO_MANY_PIXELS)
    if min(width, height) < options.min_side:
        raise _OutsideLimits(TOO_SMALL)
    if max(width, height) > options.max_aspect * min(width, height):
        raise _OutsideLimits(TOO_LONG)


def _orientation(picture: Image.Image) -> int | None:
    """The orientation by EXIF or XMP; None if there is none or it cannot be read."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # editors often damage EXIF; the pixels are still valid
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, _OutsideLimits):
        return str(error)
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return TRUNCATED if "truncated" in str(error).lower() else CORRUPT


_REASONS = {
    UnidentifiedImageError: UNKNOWN_FORMAT,
    Image.DecompressionBombError: TOO_MANY_PIXELS,
    UnsupportedPixelFormat: PIXEL_FORMAT,
    MemoryError: OUT_OF_MEMORY,
}
