"""Checkpoints that survive a power cut: one checksummed file each, written atomically, the last few kept.

They are read with the shapes that the networks require: what such a file says of itself is not believed (see
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
from pipeline.images.png import write_whole
from pipeline.store.npz import Arrays, Damaged, Foreign, Form, Forms, Npz, Unfit, check_finite

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
    members: dict[str, Any] = {**arrays, CHECKSUM: np.frombuffer(_checksum(arrays), np.uint8)}
    np.savez(buffer, **members)
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
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.npz"))


BEST, AVERAGE = "best.npz", "average/"
SAID = {
    "epoch": Form(("int64",)),
    "kid": Form(("float64",)),
    "extractor": Form(("uint8",), (None,), most=1 << 10),
}


class BestCheckpoint:
    """The file best.npz in the folder of a training: weights, epoch, KID and what it was measured with.

    `forms` are those of a training's state, of which the file holds the averaged generator. A damaged one, or one of
    something else, counts as none.
    """

    def __init__(self, folder: Path, forms: Forms) -> None:
        self._path = folder / BEST
        self._forms = {**SAID, **{name: form for name, form in forms.items() if name.startswith(AVERAGE)}}
        self.epoch, self.kid, self.extractor = 0, None, ""
        if arrays := read_arrays(self._path, self._forms):
            self.epoch, self.kid = int(arrays["epoch"]), float(arrays["kid"])
            self.extractor = arrays["extractor"].tobytes().decode(errors="replace")

    def saw(self, row: dict[str, Any]) -> bool:
        """Whether the line `row` has the lowest KID so far, or the first with its extractor."""
        kid = row.get("kid")
        return kid is not None and (self.kid is None or kid < self.kid or row["extractor"] != self.extractor)

    def keep(self, row: dict[str, Any], average: GrowingNetwork) -> None:
        """Put `average` into the file, as that of `row`."""
        self.epoch, self.kid, self.extractor = row["epoch"], row["kid"], row["extractor"]
        weights = {f"{AVERAGE}{place:03d}": _array(variable) for place, variable in enumerate(average.variables)}
        said = {"epoch": np.asarray(np.int64(self.epoch)), "kid": np.asarray(np.float64(self.kid))}
        said["extractor"] = np.frombuffer(self.extractor.encode(), np.uint8)
        write_arrays(self._path, {**said, **weights})

    def forget_after(self, epoch: int) -> None:
        """Drop what comes from beyond `epoch`, from which training goes on: it comes again."""
        if self.epoch > epoch:
            self._path.unlink(missing_ok=True)
            self.epoch, self.kid, self.extractor = 0, None, ""

    def weights(self) -> Arrays | None:
        """The averaged generator's arrays, as `TrainState.arrays()` has them; None if nothing was kept."""
        arrays = read_arrays(self._path, self._forms)
        return arrays and {name: array for name, array in arrays.items() if name.startswith(AVERAGE)}


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value))
