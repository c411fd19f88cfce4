"""Checkpoints that survive a power cut: one checksummed NPZ file each, written atomically, the last few kept.

A checkpoint is read with the shapes that the networks require; the shapes that the file states are not trusted (see
`pipeline.store.npz`). The averaged generator of the best epoch is kept in the same way.
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.devices import keras
from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.store.atomic import write_whole
from pipeline.store.npz import ArrayForm, ArrayForms, Arrays, DamagedFile, ForeignFile, Npz, UnusableFile, check_finite

MAX_CHECKPOINTS = 3  # if the newest is damaged, training resumes from the one before
CHECKSUM = "sha256"
CHECKSUM_FORM = ArrayForm(("uint8",), (hashlib.sha256().digest_size,))
T = TypeVar("T")


def save_checkpoint(folder: Path, step: int, arrays: Arrays) -> None:
    """Write a checkpoint into `folder`, which is created if missing, and delete all but the last few.

    Checkpoints of later steps are deleted too: they were found damaged, or this would not be the newest. So are partial
    files of killed writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(path := folder / f"step-{step:09d}.npz", arrays)
    kept = [each for each in _files(folder) if each <= path][-MAX_CHECKPOINTS:]
    for old in {*_files(folder), *folder.glob(".*.part")} - {*kept}:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, damaged ones too, the newest first; at most a few more than a training keeps."""
    return _files(folder)[: -1 - 4 * MAX_CHECKPOINTS : -1]


def read_newest(paths: Iterable[Path], read: Callable[[Path], T]) -> T | None:
    """The result of `read` for the first of `paths` that is usable; None if all are damaged.

    Errors: `ForeignFile`, which names the file, if none is usable and one is intact but of something else: a new start
    would delete what may be another training.
    """
    foreign = None
    for path in paths:
        try:
            return read(path)
        except ForeignFile as error:
            foreign = foreign or ForeignFile(f"{path} {error}")
        except DamagedFile:
            continue
    if foreign:
        raise foreign
    return None


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write `arrays` and their checksum to the NPZ file `path` atomically: all of it, or nothing."""
    buffer = io.BytesIO()
    members: dict[str, Any] = {**arrays, CHECKSUM: np.frombuffer(_checksum(arrays), np.uint8)}
    np.savez(buffer, **members)
    write_whole(path, buffer.getbuffer())


def load_arrays(path: Path, forms: ArrayForms | None = None) -> Arrays:
    """Read a file of `write_arrays`; its arrays are those of `forms`, or without them no larger than the file.

    Errors: `DamagedFile` if the file is missing, cut short or changed; `ForeignFile` if it does not fit `forms`, or has
    NaN or infinite numbers: a training never writes such a file.
    """
    with Npz(path) as file:
        if forms is None:
            headers = {name: file.header(name) for name in file.names}
        else:
            headers = file.check({**forms, CHECKSUM: CHECKSUM_FORM})
        arrays = {name: file.array(name, header) for name, header in headers.items()}
    checksum = arrays.pop(CHECKSUM, np.zeros(0, np.uint8))
    if checksum.tobytes() != _checksum(arrays):
        raise DamagedFile("is not what was written")
    check_finite(arrays)
    return arrays


def read_arrays(path: Path, forms: ArrayForms | None = None) -> Arrays | None:
    """Read as `load_arrays` does, but return None for a file that cannot be used."""
    try:
        return load_arrays(path, forms)
    except UnusableFile:
        return None


def digest_arrays(arrays: Arrays) -> str:
    """The hex SHA-256 over the names, types, shapes and values of `arrays`."""
    return _checksum(arrays).hex()


def _checksum(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.npz"))


BEST, AVERAGE = "best.npz", "average/"
BEST_FORMS = {
    "epoch": ArrayForm(("int64",)),
    "kid": ArrayForm(("float64",)),
    "extractor": ArrayForm(("uint8",), (None,), most=1 << 10),
}


class BestCheckpoint:
    """The file best.npz of a training: the averaged generator of the epoch with the lowest KID.

    It holds weights, epoch, KID and extractor. `forms` are those of the training's state. A damaged file, or one of
    another training, counts as none.
    """

    def __init__(self, folder: Path, forms: ArrayForms) -> None:
        self._path = folder / BEST
        self._forms = {**BEST_FORMS, **{name: form for name, form in forms.items() if name.startswith(AVERAGE)}}
        self.epoch, self.kid, self.extractor = 0, None, ""
        if arrays := read_arrays(self._path, self._forms):
            self.epoch, self.kid = int(arrays["epoch"]), float(arrays["kid"])
            self.extractor = arrays["extractor"].tobytes().decode(errors="replace")

    def is_better(self, row: dict[str, Any]) -> bool:
        """Whether `row` of the statistics has the lowest KID so far, or is the first with its extractor."""
        kid = row.get("kid")
        return kid is not None and (self.kid is None or kid < self.kid or row["extractor"] != self.extractor)

    def save(self, row: dict[str, Any], average: GrowingNetwork) -> None:
        """Write the weights of `average` with the scores of `row`."""
        self.epoch, self.kid, self.extractor = row["epoch"], row["kid"], row["extractor"]
        weights = {f"{AVERAGE}{index:03d}": _array(variable) for index, variable in enumerate(average.variables)}
        scores = {"epoch": np.asarray(np.int64(self.epoch)), "kid": np.asarray(np.float64(self.kid))}
        scores["extractor"] = np.frombuffer(self.extractor.encode(), np.uint8)
        write_arrays(self._path, {**scores, **weights})

    def drop_after(self, epoch: int) -> None:
        """Delete the file if it is of an epoch after `epoch`, from which training resumes: that epoch comes again."""
        if self.epoch > epoch:
            self._path.unlink(missing_ok=True)
            self.epoch, self.kid, self.extractor = 0, None, ""

    def weights(self) -> Arrays | None:
        """The averaged generator's arrays, named as in `TrainState.arrays()`; None if there are none."""
        arrays = read_arrays(self._path, self._forms)
        return arrays and {name: array for name, array in arrays.items() if name.startswith(AVERAGE)}


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value))
