"""IDX files, the format of MNIST and Fashion-MNIST: many grey pictures in one file, plain or gzipped.

A header of big-endian numbers (two zero bytes, the type 8 for unsigned bytes, the number of dimensions, the dimensions)
is followed by the values. Source: http://yann.lecun.com/exdb/mnist.
"""

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NAMES = re.compile(r"ubyte|idx", re.IGNORECASE)  # in the name of every published IDX file; others are not opened
UNSIGNED_BYTES = 8
VALUE_TYPES = {8, 9, 11, 12, 13, 14}  # of every IDX file: signed and unsigned bytes, integers, floats
MAX_SIDE = 1 << 12  # pixels
MAX_BYTES = 1 << 28  # of pictures that are kept in memory, of all files of a folder together
_UNREADABLE = (OSError, EOFError, zlib.error)  # gzip raises all of them for a damaged file


@dataclass(frozen=True, kw_only=True)
class IdxPictures:
    """The first `count` of the `total` pictures of an IDX file, and their classes if a label file is beside it.

    `pixels` are (N, H, W) uint8; N is smaller than `count` if the file is damaged or cut short. `label_file` is there
    but has no `classes` if it is not of these pictures.
    """

    pixels: "np.ndarray"
    count: int
    total: int
    classes: tuple[int, ...] | None
    label_file: Path | None


def read_idx(path: Path, count: int, *, max_bytes: int = MAX_BYTES) -> IdxPictures | None:
    """Read the first `count` pictures of `path`, at most `max_bytes` bytes; None if it is no IDX file of pictures."""
    if not NAMES.search(path.name):
        return None
    import numpy as np  # here, as most crawls need none of its tenth of a second

    try:
        with _open(path) as file:
            header = _header(file, dimensions=3)
            if not header or not all(0 < side <= MAX_SIDE for side in header[1:]):
                return None
            total, height, width = header
            count = min(count, total, max_bytes // (height * width))
            data = _read(file, count * height * width)
    except _UNREADABLE:
        return None
    pixels = np.frombuffer(data, np.uint8, len(data) // (height * width) * height * width)
    label_file = _label_file(path)
    classes = None if label_file is None else _read_classes(label_file, total, count)
    return IdxPictures(
        pixels=pixels.reshape(-1, height, width), count=count, total=total, classes=classes, label_file=label_file
    )


def unusable_idx(path: Path) -> str:
    """Why an IDX file that `read_idx` does not read has no pictures; empty if it is no IDX file."""
    if not NAMES.search(path.name):
        return ""
    try:
        with _open(path) as file:
            start = file.read(4)
    except _UNREADABLE:
        return ""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in VALUE_TYPES or not start[3]:
        return ""
    if start[3] == 1:
        return "IDX file: labels without pictures"
    if (start[2], start[3]) != (UNSIGNED_BYTES, 3):
        return "IDX file: only grey pictures of unsigned bytes, in three dimensions, are read"
    return f"IDX file: its header is damaged, or pictures have a side above {MAX_SIDE} px"


def _read_classes(path: Path, total: int, count: int) -> tuple[int, ...] | None:
    """The classes of the first `count` of `total` pictures; None if `path` does not have them."""
    try:
        with _open(path) as file:
            if _header(file, dimensions=1) != (total,):
                return None
            data = _read(file, min(count, total))
    except _UNREADABLE:
        return None
    return tuple(data) if len(data) == min(count, total) else None


def _label_file(path: Path) -> Path | None:
    """The file of labels beside `path`: of train-images-idx3-ubyte.gz it is train-labels-idx1-ubyte.gz."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    stems = {name, name.removesuffix(".gz"), f"{name.removesuffix('.gz')}.gz"} - {path.name}
    return next((found for stem in sorted(stems) if (found := path.with_name(stem)).is_file()), None)


def _open(path: Path) -> BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.GzipFile(path) if zipped else path.open("rb")


def _header(file: BufferedReader | gzip.GzipFile, *, dimensions: int) -> tuple[int, ...]:
    """The dimensions; empty if the file is not one of unsigned bytes with so many of them."""
    if file.read(4) != bytes((0, 0, UNSIGNED_BYTES, dimensions)):
        return ()
    found = file.read(4 * dimensions)
    return struct.unpack(f">{dimensions}I", found) if len(found) == 4 * dimensions else ()


def _read(file: BufferedReader | gzip.GzipFile, count: int) -> bytearray:
    """Up to `count` bytes: what there is before the end of the file, or before damage."""
    data = bytearray()
    try:
        # `read` would lose what is before the damage
        while count > len(data) and (part := file.read1(min(count - len(data), 1 << 16))):
            data += part
    except _UNREADABLE:
        pass
    return data
