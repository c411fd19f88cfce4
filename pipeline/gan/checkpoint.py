"""Checkpoints that survive a power cut: one checksummed file each, put in place whole, the last few kept.

They are read with the forms of all that they have to hold, which follow from the networks: what such a file says of
itself is not believed (see `pipeline.filter.npz`).
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.filter.npz import Arrays, Form, Forms, Npz, check_finite
from pipeline.filter.stored_zip import Damaged, Foreign, Unfit
from pipeline.images.png import write_whole

KEPT = 3  # the one before stands in when the newest turns out damaged, and so on
CHECKSUM = "sha256"
OF_CHECKSUM = Form(("uint8",), (hashlib.sha256().digest_size,))
Made = TypeVar("Made")


def save_checkpoint(folder: Path, step: int, arrays: Arrays) -> None:
    """Put a checkpoint into `folder`, made if need be; all but the last few go, and what killed writes left.

    Those of later steps go too: they were damaged, and passed over, or this would not be the newest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(path := folder / f"step-{step:09d}.npz", arrays)
    kept = [each for each in _files(folder) if each <= path][-KEPT:]
    for old in {*_files(folder), *folder.glob(".*.part")} - {*kept}:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """Those in `folder`, whole or not, the newest first; of more than a training leaves, the newest alone."""
    return _files(folder)[: -1 - 4 * KEPT : -1]


def newest(paths: Iterable[Path], read: Callable[[Path], Made]) -> Made | None:
    """What `read` makes of the first of `paths` that it can use; others are passed over. None if all are damaged.

    Errors: `Foreign`, which names the file, if none can be used, and one not because it is damaged but because of what
    it holds: to begin anew would throw away what is somebody's.
    """
    foreign = None
    for path in paths:
        try:
            return read(path)
        except Foreign as error:
            foreign = foreign or Foreign(f"{path} {error}")
        except Damaged:
            continue
    if foreign:
        raise foreign
    return None


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Put `arrays` and their checksum into the NPZ file `path`: either all of it is there afterwards, or nothing."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **{CHECKSUM: np.frombuffer(_checksum(arrays), np.uint8)})
    write_whole(path, buffer.getbuffer())


def load_arrays(path: Path, forms: Forms | None = None) -> Arrays:
    """What `write_arrays` wrote; it takes no more memory than arrays of `forms`, or without them than the file is long.

    Errors: `Damaged` if it is missing, cut short or changed; `Foreign` if it is not of `forms`, or not all numbers in
    it are finite: a training never leaves such a one.
    """
    with Npz(path) as file:
        if forms is None:
            headers = {name: file.header(name) for name in file.names}
        else:
            headers = file.check({**forms, CHECKSUM: OF_CHECKSUM})
        arrays = {name: file.array(name, header) for name, header in headers.items()}
    checksum = arrays.pop(CHECKSUM, np.zeros(0, np.uint8))
    if checksum.tobytes() != _checksum(arrays):
        raise Damaged("is not what was written")
    check_finite(arrays)
    return arrays


def read_arrays(path: Path, forms: Forms | None = None) -> Arrays | None:
    """As `load_arrays`, but None for all that cannot be used."""
    try:
        return load_arrays(path, forms)
    except Unfit:
        return None


def digest_arrays(arrays: Arrays) -> str:
    """The hex SHA-256 over names, types, shapes and every bit of `arrays`."""
    return _checksum(arrays).hex()


def _checksum(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.digest()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.npz"))
