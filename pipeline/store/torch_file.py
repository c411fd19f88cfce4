"""Read the arrays of a file that PyTorch wrote before its release 1.6, without PyTorch and without trusting the file.

Such a file is five pickles (a magic number, a version, sizes of C types, the names and forms of the arrays, the order
of the blocks of numbers), then each block: its length in 8 bytes, and its numbers. The pickles may make dictionaries,
numbers and text here, and nothing else: every other name in them is refused before anything is called.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.store.npz import DamagedFile, ForeignFile

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
LENGTH = np.dtype("<i8")


@dataclass(frozen=True, kw_only=True)
class _Block:
    type: str
    key: str
    count: int


@dataclass(frozen=True, kw_only=True)
class _View:
    """An array as the file describes it: a part of a block, with strides in numbers, not bytes."""

    block: _Block
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """A copy of the array out of the block's `numbers`."""
        lengths = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(type(each) is int and each >= 0 for each in lengths):
            raise DamagedFile("describes an array by something else than whole numbers")
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape or last >= len(numbers):
            raise DamagedFile("describes an array that is larger than its numbers")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides).copy()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild()
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise ForeignFile(f"names {module}.{name}, which is not an array")

    def persistent_load(self, entry: Any) -> _Block:
        kind, type_, key, _, count, view = entry
        if kind != "storage" or type_ not in TYPES.values() or view is not None or type(count) is not int:
            raise ForeignFile("describes a block of numbers in an unknown form")
        return _Block(type=type_, key=str(key), count=count)


def _rebuild() -> Callable:
    """A new function each time, as a pickle could change the attributes of a function."""
    return lambda block, offset, shape, strides, *_: _View(block=block, offset=offset, shape=shape, strides=strides)


def read_arrays(path: Path, *, sha256: str) -> dict[str, np.ndarray]:
    """The arrays by name, float32 or int64; `sha256` is that of the whole file, in hex, and is checked first.

    Raises:
        DamagedFile: The file cannot be read, has another SHA-256, or is not of this format.
        ForeignFile: It holds something else than arrays.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"cannot be read ({error.strerror})") from None
    if hashlib.sha256(body).hexdigest() != sha256:
        raise DamagedFile("has another SHA-256 than the published one")
    try:
        return _arrays(io.BytesIO(body))
    except (DamagedFile, ForeignFile):
        raise
    except Exception:  # a pickle that is not one may raise anything
        raise DamagedFile("is not in the format that PyTorch wrote before 1.6") from None


def _arrays(file: io.BytesIO) -> dict[str, np.ndarray]:
    if [_Unpickler(file).load() for _ in range(2)] != [MAGIC, VERSION] or not _Unpickler(file).load()["little_endian"]:
        raise DamagedFile("is not in the format that PyTorch wrote before 1.6")
    views = _Unpickler(file).load()
    if not isinstance(views, dict) or not all(isinstance(each, _View) for each in views.values()):
        raise ForeignFile("holds something else than arrays by name")
    blocks = {view.block.key: view.block for view in views.values()}
    numbers = {key: _read_block(file, blocks[key]) for key in _Unpickler(file).load()}
    return {str(name): view.array(numbers[view.block.key]) for name, view in views.items()}


def _read_block(file: io.BytesIO, block: _Block) -> np.ndarray:
    type_ = np.dtype(block.type)
    count = int(np.frombuffer(file.read(LENGTH.itemsize), LENGTH)[0])
    found = np.frombuffer(file.read(max(count, 0) * type_.itemsize), type_)
    if not len(found) == count == block.count:
        raise DamagedFile("is truncated")
    return found
