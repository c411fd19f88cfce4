"""Checkpoints that survive a power cut: one checksummed file each, put in place whole, the last few kept."""

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pipeline.images.png import write_whole

KEPT = 3  # the one before stands in when the newest turns out damaged, and so on
CHECKSUM = "sha256"
# What reading a damaged file may raise: a single bit can make an archive one that wants a password (RuntimeError), and
# a file of another kind is an array alone (TypeError, on Python 3.10 AttributeError)
DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile,
          zlib.error)  # fmt: skip
Arrays = dict[str, np.ndarray]


def save_checkpoint(folder: Path, step: int, arrays: Arrays) -> None:
    """Put a checkpoint into `folder`, made if need be; all but the last few go, and what killed writes left.

    Those of later steps go too: they were damaged, and passed over, or this would not be the newest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(path := folder / f"step-{step:09d}.npz", arrays)
    kept = [each for each in _files(folder) if each <= path][-KEPT:]
    for old in {*_files(folder), *folder.glob(".*.part")} - {*kept}:
        old.unlink()


def newest_checkpoint(folder: Path) -> Arrays | None:
    """The newest checkpoint in `folder` that is whole; damaged ones are passed over. None if there is none."""
    whole = (read_arrays(path) for path in reversed(_files(folder)))
    return next((arrays for arrays in whole if arrays is not None), None)


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Put `arrays` and their checksum into the NPZ file `path`: either all of it is there afterwards, or nothing."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **{CHECKSUM: np.frombuffer(_checksum(arrays), np.uint8)})
    write_whole(path, buffer.getbuffer())


def read_arrays(path: Path) -> Arrays | None:
    """What `write_arrays` wrote, or None when the file is missing, cut short or changed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except DAMAGE:
        return None
    checksum = arrays.pop(CHECKSUM, np.zeros(0, np.uint8))
    return arrays if checksum.tobytes() == _checksum(arrays) else None


def digest_arrays(arrays: Arrays) -> str:
    """The hex SHA-256 over names, types, shapes and every bit of `arrays`."""
    return _checksum(arrays).hex()


def _checksum(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.digest()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.npz"))
