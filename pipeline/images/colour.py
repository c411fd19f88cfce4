"""Bring pixels of any kind to 8-bit sRGB: depth, palette, ink, profile, transparency."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
_LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
_PLAIN = ("L", "RGB", "CMYK", "LAB")  # what a colour profile can speak of
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


class UnusualPixels(Exception):
    """Pixels of no known scale, such as 32-bit integers: any guess at black and white would be arbitrary."""


def to_rgb(picture: Image.Image, background: str) -> np.ndarray:
    """The loaded `picture` over `background`, as (H, W, 3) uint8 in sRGB.

    An embedded colour profile is followed if it can be; CMYK without one is taken as Pillow takes it.
    """
    picture = _to_eight_bits(picture)
    if not picture.has_transparency_data:
        return np.asarray(_to_srgb(picture))
    # Compositing with the alpha alone keeps out the arbitrary colours that lie under transparent pixels
    alpha = picture.convert("RGBA").getchannel("A")
    colour = _to_srgb(picture)
    return np.asarray(Image.composite(colour, Image.new("RGB", colour.size, background), alpha))


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8; 8-bit pictures as they are, their transparent colour too."""
    if picture.mode in ("I", "F"):
        raise UnusualPixels(picture.mode)
    if picture.mode.startswith("I;16"):
        return _from_deep_grey(picture)
    key = picture.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # the key of a 16-bit PNG, of which Pillow keeps the high bytes
        picture.info["transparency"] = tuple(part >> 8 for part in key)
    return picture


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """Grey of up to 16 bits as mode L, or LA where one level of it means transparent; Pillow's own saturates."""
    tags = getattr(picture, "tag_v2", {})
    levels = np.asarray(picture)
    top = (1 << tags.get(_BITS, (16,))[0]) - 1
    grey = ((levels.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    key = picture.info.get("transparency")
    shallow = Image.fromarray(grey)
    if key is not None:
        shallow.putalpha(Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8)))
    shallow.info["icc_profile"] = picture.info.get("icc_profile")
    return shallow


def follow_profile(pixels: np.ndarray, picture: Image.Image) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 of a `picture` of mode RGB or L, in sRGB if it has a colour profile."""
    transform = _transform(picture)
    if transform is None:
        return pixels
    channels = pixels if picture.mode == "RGB" else np.ascontiguousarray(pixels[..., 0])
    return np.asarray(ImageCms.applyTransform(Image.fromarray(channels), transform))


def _to_srgb(picture: Image.Image) -> Image.Image:
    """`picture` without its alpha, in mode RGB."""
    profile = picture.info.get("icc_profile")
    if picture.mode not in _PLAIN:
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
        picture.info["icc_profile"] = profile
    transform = _transform(picture)
    if transform is not None:
        # None is returned only for a picture that is changed in place
        return ImageCms.applyTransform(picture, transform) or picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _transform(picture: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """What brings `picture` to sRGB by its profile; None if there is none, or it cannot be followed or is sRGB's."""
    if picture.mode == "LAB":
        return _build(None, "LAB")
    profile = picture.info.get("icc_profile")
    return _build(profile, picture.mode) if isinstance(profile, bytes) else None


@lru_cache(maxsize=16)  # a camera's pictures have the same one
def _build(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = _LAB if profile is None else ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (OSError, ImageCms.PyCMSError):  # unreadable, or for another kind of pixels: they are taken as sRGB
        return None
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether RGB colours stay what they are but for rounding: most profiles found are sRGB's own."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    found = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return np.abs(found.astype(int) - colours).max() <= 2
