"""Read the pictures of a style transfer: from files or arrays, upright, in RGB, with their digest."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.decode import FORMATS
from pipeline.images.raster import resize
from pipeline.store.digest import of_bytes, of_value
from pipeline.style.style_options import LEAST_SIDE

MOST_PIXELS = 100_000_000
MOST_ASPECT = 4.0  # the shorter side of the coarsest level still has some places in every layer
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture (H, W, 3) uint8 RGB with a name for people and the SHA-256 of its file, or of its pixels."""

    pixels: np.ndarray
    name: str
    digest: str
    origin: str = ""  # where a drawn picture is from; empty for a file

    def scaled(self, side: float) -> np.ndarray:
        """The picture with `side` pixels along its longer side: (H, W, 3) float32 in [0, 1]."""
        height, width = scaled_shape(self.pixels.shape, side)
        return resize(self.pixels, width, height).astype(np.float32) / 255


def scaled_shape(shape: tuple[int, ...], side: float) -> tuple[int, int]:
    """Height and width of a picture of `shape` (H, W, ...) whose longer side becomes `side`."""
    factor = side / max(shape[:2])
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def as_picture(given: object, what: str) -> Picture:
    """Read `given`: a path, an array (H, W), (H, W, 1) or (H, W, 3) of uint8 or of floats in [0, 1], or a `Picture`.

    Raises:
        UserError: it is none of these, no picture, too small, too large or too long; the message begins with `what`.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, str | Path):
        return _read(Path(given).expanduser(), what)
    return _checked(_from_array(given, what), what, what)


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in `folder` by their suffix, in the order of their names. Errors: `UserError` if there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not found:
        raise UserError(f"{folder} has no pictures in it ({', '.join(SUFFIXES)})")
    return found


def distinct(names: Sequence[str]) -> list[str]:
    """`names`, of which those that are there already get a number: a, a-2."""
    taken: set[str] = set()
    found = []
    for name in names:
        free, number = name, 2
        while free.casefold() in taken:
            free, number = f"{name}-{number}", number + 1
        taken.add(free.casefold())
        found.append(free)
    return found


def _read(path: Path, what: str) -> Picture:
    where = f"{what} {path}"
    if path.is_dir():
        raise UserError(f"{where}: this is a folder; name a picture")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror})") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _decode(data, where)
    except UserError:
        raise
    except Exception:  # a decoder may raise any exception for a damaged file
        raise UserError(f"{where}: this is no picture, or a damaged one; give a JPEG, PNG or WebP file") from None
    return _checked(pixels, where, path.name, digest=of_bytes(data))


def _decode(data: bytes, where: str) -> np.ndarray:
    """The first frame, upright, with transparent pixels on white."""
    with Image.open(BytesIO(data), formats=FORMATS) as file:
        if file.width * file.height > MOST_PIXELS:
            raise UserError(f"{where}: it has more than {MOST_PIXELS:,} pixels; make it smaller")
        upright = ImageOps.exif_transpose(file)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            upright = upright.convert("RGBA")
            paper = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(paper, upright)
        return np.asarray(upright.convert("RGB"))


def _from_array(given: object, what: str) -> np.ndarray:
    pixels = np.asarray(given)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype.kind not in "uf":
        raise UserError(
            f"{what}: expected a path, or an array (H, W, 3) of uint8 or of numbers from 0 to 1, not"
            f" {type(given).__name__}" + (f" {pixels.dtype} {pixels.shape}" if pixels.ndim else "")
        )
    if pixels.dtype.kind == "f":
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise UserError(f"{what}: an array of floats has values from 0 to 1; give uint8 for grey levels")
        pixels = np.round(pixels * 255)
    elif pixels.dtype != np.uint8:
        raise UserError(f"{what}: an array of whole numbers is uint8, not {pixels.dtype}")
    return np.repeat(pixels, 3, axis=2).astype(np.uint8) if pixels.shape[2] == 1 else pixels.astype(np.uint8)


def _checked(pixels: np.ndarray, where: str, name: str, *, digest: str = "") -> Picture:
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise UserError(f"{where}: {width} x {height} pixels are too few; give at least {LEAST_SIDE} along each side")
    if max(height, width) > MOST_ASPECT * min(height, width):
        raise UserError(f"{where}: {width} x {height} pixels are too long; the limit is {MOST_ASPECT:.0f} to 1")
    pixels = np.ascontiguousarray(pixels)
    return Picture(pixels=pixels, name=name, digest=digest or of_value([[*pixels.shape], of_bytes(pixels.tobytes())]))
