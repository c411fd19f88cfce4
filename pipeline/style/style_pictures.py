"""Read the pictures of a style transfer: from files or arrays, upright, in RGB, with their digest."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.images.decode import decode
from pipeline.images.raster import resize
from pipeline.images.rejected import PIXEL_FORMAT, TOO_LONG, TOO_MANY_PIXELS, TOO_SMALL, Rejected
from pipeline.options import NormalizeOptions
from pipeline.store.digest import of_bytes, of_value
from pipeline.style.style_options import LEAST_SIDE, MOST_SIDE
from pipeline.text import to_plain_line

MOST_ASPECT = 4.0
# A larger picture is averaged over blocks of pixels while it is decoded; its shorter side keeps more than this
READING = NormalizeOptions(size=MOST_SIDE, min_side=LEAST_SIDE, max_aspect=MOST_ASPECT)
MOST_NAME = 150  # bytes of a name that becomes that of a file
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture (H, W, 3) uint8 RGB with a name for people and the SHA-256 of its file, or of its pixels."""

    pixels: np.ndarray
    name: str
    digest: str
    origin: str = ""  # where a drawn picture is from; empty for a file

    @property
    def aspect(self) -> float:
        """The shorter side as a share of the longer one."""
        return min(self.pixels.shape[:2]) / max(self.pixels.shape[:2])

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
        if given == "":
            raise UserError(f"{what} is empty; name a picture")
        return _read(Path(os.path.expanduser(given)), what)
    return _checked(_from_array(given, what), what)


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in `folder` by their suffix, in the order of their names. Errors: `UserError` if there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not found:
        raise UserError(f"{folder} has no pictures in it ({', '.join(SUFFIXES)})")
    return found


def distinct(names: Sequence[str]) -> list[str]:
    """`names` as names of files, of which those that are there already get a number: a, a-2."""
    taken: set[str] = set()
    found = []
    for name in map(_as_file_name, names):
        free, number = name, 2
        while free.casefold() in taken:
            free, number = f"{name}-{number}", number + 1
        taken.add(free.casefold())
        found.append(free)
    return found


def _as_file_name(name: str) -> str:
    """`name` in bytes that every disk takes: what is not UTF-8, or cannot be printed, is replaced, the end left out."""
    printable = "".join(letter if letter.isprintable() else "_" for letter in name)
    return printable.encode("utf-8", "replace")[:MOST_NAME].decode("utf-8", "ignore")


def _read(path: Path, what: str) -> Picture:
    where = f"{what} {path}"
    if path.is_dir():
        raise UserError(f"{where}: this is a folder; name a picture")
    try:
        if path.exists() and not path.is_file():  # a pipe, a device: reading might never end
            raise UserError(f"{where}: this is no file")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL in its name
        raise UserError(f"{what} {str(path)!r}: this is no name of a file") from None
    found = decode(data, READING)
    if isinstance(found, Rejected):
        raise UserError(f"{where}: {_reason(found)}")
    shown = to_plain_line(path.name, MOST_NAME)
    return Picture(pixels=np.ascontiguousarray(found.pixels), name=shown, digest=of_bytes(data))


def _reason(found: Rejected) -> str:
    shape = f"{found.width} x {found.height} pixels"
    return {
        TOO_SMALL: f"{shape} are too few; give at least {LEAST_SIDE} along each side",
        TOO_LONG: f"{shape} are too long; the limit is {MOST_ASPECT:.0f} to 1",
        TOO_MANY_PIXELS: f"it has more than {READING.max_pixels:,} pixels; make it smaller",
        PIXEL_FORMAT: "its pixels are neither grey levels nor colours of 8 or 16 bits; save it as a PNG with 8",
    }.get(found.reason, "this is no picture, or a damaged one; give a JPEG, PNG or WebP file")


def _from_array(given: object, what: str) -> np.ndarray:
    try:
        pixels = np.asarray(given)
    except ValueError:  # lists of different lengths
        pixels = np.asarray(None)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype.kind not in "uf":
        raise UserError(
            f"{what}: expected a path, or an array (H, W, 3) of uint8 or of numbers from 0 to 1, not"
            f" {type(given).__name__}" + (f" {pixels.dtype} {pixels.shape}" if pixels.ndim else "")
        )
    if pixels.dtype.kind == "f" and pixels.size:
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise UserError(f"{what}: an array of floats has values from 0 to 1; give uint8 for grey levels")
        pixels = np.round(pixels * 255)
    elif pixels.dtype != np.uint8:
        raise UserError(f"{what}: an array of whole numbers is uint8, not {pixels.dtype}")
    return np.repeat(pixels, 3, axis=2).astype(np.uint8) if pixels.shape[2] == 1 else pixels.astype(np.uint8)


def _checked(pixels: np.ndarray, what: str) -> Picture:
    height, width = pixels.shape[:2]
    wrong = TOO_SMALL if min(height, width) < LEAST_SIDE else ""
    wrong = wrong or (TOO_LONG if max(height, width) > MOST_ASPECT * min(height, width) else "")
    if wrong:
        raise UserError(f"{what}: {_reason(Rejected(reason=wrong, width=width, height=height))}")
    pixels = np.ascontiguousarray(pixels)
    return Picture(pixels=pixels, name=what, digest=of_value([[*pixels.shape], of_bytes(pixels.tobytes())]))
