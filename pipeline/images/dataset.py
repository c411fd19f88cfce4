"""Read the squares of a dataset, by index: from memory while they fit in, otherwise from one file on the disk.

The file has the pixels of every kept square, one after the other, as NumPy stores an array. It is written beside the
artifact of the squares, as `.packed-<its name>.npy`, by the first stage that needs more squares than memory should
hold, from the PNG files, each of which is verified. It is verified itself when it is opened, and made again if it is
damaged or gone. So the first stage that opens it decodes all squares, and each later one reads the whole file once.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from pipeline.errors import DamagedState
from pipeline.images.packed import Images, PackedImages
from pipeline.images.png import decode_png
from pipeline.machine import usable_cores
from pipeline.progress import Progress, silent
from pipeline.store import digest, verified
from pipeline.store.artifacts import PACKED
from pipeline.store.atomic import SUFFIX, open_whole, write_whole
from pipeline.store.manifest import ROWS

REMEDY = "`python -m tasks rerun normalize` makes it again"
IN_MEMORY = 1 << 29  # bytes of squares that memory holds: 43,000 of 64 px in colour
READ_AT_ONCE = 256  # squares
PIECE = 1 << 24  # bytes of the packed file that are verified at a time
POLL = 0.5  # seconds between two looks whether another process has packed the squares


class ImageSet(NamedTuple):
    """Squares ordered by id: `images` is (N, size, size, C) uint8, RGB or grey; row i belongs to `ids[i]`."""

    ids: tuple[str, ...]
    images: Images


class _Square(NamedTuple):
    """A kept square: its id, its path in the artifact, and the SHA-256 of that file."""

    id: str
    file: str
    sha256: str


def read_images(
    normalize: Path, ids: Iterable[str] | None = None, *, progress: Progress = silent, remember: bool = False
) -> ImageSet:
    """Read the kept squares of the artifact `normalize`, all or those of `ids`, and verify each against its SHA-256.

    More than IN_MEMORY bytes of them are read from the packed file, which is written first if there is none; `progress`
    is called meanwhile. With `remember`, the list of squares is read once for all calls that follow each other, for who
    reads an artifact in many parts.

    Raises:
        DamagedState: a file is missing or changed, an id is not among the kept ones, or no square is kept.
    """
    every = _remembered(normalize, _stamp(normalize / ROWS)) if remember else sorted(_kept_squares(normalize))
    if not every:  # the stage never publishes such an artifact
        raise DamagedState(f"{normalize} keeps no picture at all; {REMEDY}")
    wanted = None if ids is None else set(ids)
    places = [place for place, square in enumerate(every) if wanted is None or square.id in wanted]
    chosen = tuple(every[place].id for place in places)
    if wanted is not None and len(chosen) < len(wanted):
        raise DamagedState(f"{normalize} keeps no picture {min(wanted.difference(chosen))}; {REMEDY}")
    shape = _read_square(normalize, every[places[0] if places else 0]).shape
    if len(chosen) * int(np.prod(shape)) <= IN_MEMORY:
        return ImageSet(chosen, _read_squares(normalize, [every[place] for place in places], shape))
    return ImageSet(chosen, open_packed(normalize, every, shape, progress).select(np.array(places)))


@lru_cache(maxsize=1)
def _remembered(normalize: Path, stamp: int) -> list[_Square]:
    """The squares of `normalize`, read once for each `stamp`, when its rows were written."""
    return sorted(_kept_squares(normalize))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _kept_squares(normalize: Path) -> Iterator[_Square]:
    for row in verified.iterate_rows(normalize, ROWS):
        if row["outcome"] == "kept":
            yield _Square(row["id"], row["file"], row["sha256"])


def _read_squares(normalize: Path, squares: Sequence[_Square], shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of `squares`: (N, S, S, C) uint8."""
    images = np.empty((len(squares), *shape), np.uint8)
    for start, part in _read_parts(normalize, squares, shape):
        images[start : start + len(part)] = part
    return images


def _read_parts(
    normalize: Path, squares: Sequence[_Square], shape: tuple[int, ...]
) -> Iterator[tuple[int, np.ndarray]]:
    """The pixels of some of `squares` at a time: the place of the first of them, and (M, S, S, C) uint8."""
    with ThreadPoolExecutor(usable_cores()) as threads:
        for start in range(0, len(squares), READ_AT_ONCE):
            part = squares[start : start + READ_AT_ONCE]
            pixels = np.empty((len(part), *shape), np.uint8)
            pixels[:] = list(threads.map(partial(_read_square, normalize), part))
            yield start, pixels


def _read_square(normalize: Path, square: _Square) -> np.ndarray:
    path = normalize / square.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedState(f"{path} cannot be read ({error.strerror}); {REMEDY}") from None
    if digest.of_bytes(data) != square.sha256:
        raise DamagedState(f"{path} is not what was written; {REMEDY}")
    return decode_png(data)


def open_packed(
    normalize: Path, squares: Sequence[_Square], shape: tuple[int, ...], progress: Progress
) -> PackedImages:
    """The `squares`, all that the artifact `normalize` keeps, from its packed file, which is made if need be.

    `progress` is called while the file is made or verified, and while another process makes it. If it raises, this
    ends.

    Raises:
        DamagedState: a square is missing or changed.
        OSError: the disk is full.
    """
    path = normalize.with_name(f"{PACKED}{normalize.name}.npy")
    about, rows = path.with_suffix(".json"), digest.of_file(normalize / ROWS)
    with _acquire(FileLock(path.with_suffix(".lock")), progress):
        if not _is_sound(path, about, rows, len(squares), progress):
            about.unlink(missing_ok=True)
            facts = {"rows": rows, "sha256": _pack(normalize, squares, shape, path, progress)}
            write_whole(about, (json.dumps(facts) + "\n").encode(), sync=False)
        return PackedImages(path)


def _acquire(lock: BaseFileLock, progress: Progress) -> AbstractContextManager[Any]:
    while True:
        try:
            return lock.acquire(timeout=POLL)
        except Timeout:
            progress(0, 0, "waits for another run that packs or verifies the squares")


def _is_sound(path: Path, about: Path, rows: str, count: int, progress: Progress) -> bool:
    """Whether the packed file at `path`, of `count` squares, is what was written from the `rows` with this SHA-256."""
    try:
        facts = json.loads(about.read_bytes())
        return bool(facts["rows"] == rows and facts["sha256"] == _digest(path, count, progress))
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _digest(path: Path, count: int, progress: Progress) -> str:
    """The SHA-256 in hex of the packed file at `path`, of `count` squares."""
    found, size = hashlib.sha256(), max(1, path.stat().st_size)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
            progress(count * file.tell() // size, count, "squares verified")
    return found.hexdigest()


def _pack(normalize: Path, squares: Sequence[_Square], shape: tuple[int, ...], path: Path, progress: Progress) -> str:
    """Write the packed file `path` of `squares`; returns its SHA-256 in hex."""
    # With the name of the artifact, so that `gc` finds what a killed process left
    with open_whole(path, sync=False, draft=path.with_suffix(SUFFIX)) as file:
        hashing = digest.HashingFile(file)
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(squares), *shape)}
        np.lib.format.write_array_header_1_0(cast(BinaryIO, hashing), header)
        for start, part in _read_parts(normalize, squares, shape):
            hashing.write(part.data.cast("B"))
            progress(start + len(part), len(squares), "squares packed")
    return hashing.hexdigest()
