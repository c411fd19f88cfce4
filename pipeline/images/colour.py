"""Bring pixels of any kind to 8-bit sRGB: depth, palette, ink, profile, transparency."""

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


def _to_srgb(picture: Image.Image) -> Image.Image:
    """`picture` without its alpha, in mode RGB."""
    profile = _profile(picture)
    if picture.mode not in _PLAIN:
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
    if profile is not None:
        try:
            return ImageCms.profileToProfile(picture, profile, _SRGB, outputMode="RGB")
        except ImageCms.PyCMSError:  # a profile for another kind of pixels: they are taken as sRGB
            pass
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _profile(picture: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The colour profile embedded in `picture`; None if there is none or it cannot be read."""
    if picture.mode == "LAB":
        return _LAB
    try:
        return ImageCms.ImageCmsProfile(BytesIO(picture.info["icc_profile"]))
    except (KeyError, TypeError, OSError):
        return None
