"""Convert pixels of any mode to 8-bit sRGB: bit depth, palette, CMYK, colour profile, transparency."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
_LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
_PROFILE_MODES = ("L", "RGB", "CMYK", "LAB")  # modes that a colour profile can describe
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


class UnsupportedPixelFormat(Exception):
    """Pixels without a known scale, such as 32-bit integers: black and white levels would be a guess."""


def to_rgb(picture: Image.Image, background: str) -> np.ndarray:
    """Convert the loaded `picture` over `background` to sRGB, (H, W, 3) uint8.

    An embedded colour profile is applied if it is valid; CMYK without a profile is converted by Pillow.
    """
    picture = _to_eight_bits(picture)
    if not picture.has_transparency_data:
        return np.asarray(_to_srgb(picture))
    # Compositing by the alpha channel excludes the arbitrary colours of transparent pixels
    alpha = picture.convert("RGBA").getchannel("A")
    colour = _to_srgb(picture)
    return np.asarray(Image.composite(colour, Image.new("RGB", colour.size, background), alpha))


def apply_profile(pixels: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Convert `pixels` (H, W, 3) uint8 of a `picture` of mode RGB or L to sRGB if it has a colour profile."""
    transform = _transform(picture)
    if transform is None:
        return pixels
    channels = pixels if picture.mode == "RGB" else np.ascontiguousarray(pixels[..., 0])
    return np.asarray(ImageCms.applyTransform(Image.fromarray(channels), transform))


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; leave 8-bit pictures and their transparent colour unchanged."""
    if picture.mode in ("I", "F"):
        raise UnsupportedPixelFormat(picture.mode)
    if picture.mode.startswith("I;16"):
        return _from_16_bit_grey(picture)
    transparent_value = picture.info.get("transparency")
    # Of the pixels of a 16-bit PNG Pillow keeps the high bytes, so that its transparent colour is reduced likewise
    if isinstance(transparent_value, tuple) and max(transparent_value) > 255:
        picture.info["transparency"] = tuple(part >> 8 for part in transparent_value)
    return picture


def _from_16_bit_grey(picture: Image.Image) -> Image.Image:
    """Convert grey of up to 16 bits to mode L, or to LA if one level is transparent; Pillow would saturate instead of
    scale.
    """
    tags = getattr(picture, "tag_v2", {})
    levels = np.asarray(picture)
    max_level = (1 << tags.get(_BITS, (16,))[0]) - 1
    grey = ((levels.astype(np.uint32) * 255 + max_level // 2) // max_level).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    transparent_value = picture.info.get("transparency")
    eight_bit = Image.fromarray(grey)
    if transparent_value is not None:
        eight_bit.putalpha(Image.fromarray(np.where(levels == transparent_value, 0, 255).astype(np.uint8)))
    eight_bit.info["icc_profile"] = picture.info.get("icc_profile")
    return eight_bit


def _to_srgb(picture: Image.Image) -> Image.Image:
    """Convert `picture` without its alpha channel to mode RGB."""
    profile = picture.info.get("icc_profile")
    if picture.mode not in _PROFILE_MODES:
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
        picture.info["icc_profile"] = profile
    transform = _transform(picture)
    if transform is not None:
        # None is returned only for a picture that is changed in place
        return ImageCms.applyTransform(picture, transform) or picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _transform(picture: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """The transform from the colour profile of `picture` to sRGB; None without a profile, or if it is invalid
    or sRGB.
    """
    if picture.mode == "LAB":
        return _build_transform(None, "LAB")
    profile = picture.info.get("icc_profile")
    return _build_transform(profile, picture.mode) if isinstance(profile, bytes) else None


@lru_cache(maxsize=16)  # pictures of one camera have the same profile
def _build_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = _LAB if profile is None else ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (OSError, ImageCms.PyCMSError):  # an invalid profile, or one for another mode: assume sRGB
        return None
    return None if mode == "RGB" and _is_identity(transform) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the transform changes RGB colours by rounding errors only: most embedded profiles are sRGB."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return np.abs(converted.astype(int) - colours).max() <= 2
