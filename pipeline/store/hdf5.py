"""Check HDF5 files of weights that may be damaged or hostile before Keras loads them.

HDF5 has features that weights do not need: data in other files, links, compressed data of any size, chunks larger than
their content. A file is accepted only if it consists of groups of plain finite numbers within the expected size.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from pipeline.store.npz import DamagedFile, ForeignFile, shown

MOST_PARTS = 20_000  # groups, datasets and attributes; the largest network used here has some thousands
MOST_NAMES = 1 << 20  # bytes of an attribute; older files list the names of layers in attributes


def check_weights(file: Path | IO[bytes], *, most: int) -> int:
    """Check the HDF5 `file` of weights; returns the number of weights in it, without those of an optimizer.

    Raises:
        DamagedFile: the file cannot be read.
        ForeignFile: it contains something other than plain finite numbers, or more than `most` bytes of them.
    """
    numbers, left = 0, most
    try:
        with h5py.File(file, "r") as root:
            for name, dataset in _datasets(root):
                _check_stored(name, dataset, left)
                left -= dataset.size * dataset.dtype.itemsize
                _check_finite(name, dataset)
                numbers += 0 if "optimizer" in name.split("/")[1] else dataset.size
    except ForeignFile:
        raise
    except Exception:  # the library may raise any exception for damaged files
        raise DamagedFile("is no HDF5 file, or not a whole one") from None
    return numbers


def _datasets(root: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every dataset below `root` with its path, once; links and repeated objects are refused."""
    waiting, seen, parts = [("", root)], set(), 0
    while waiting:
        above, group = waiting.pop()
        parts += _check_attributes(above, group)
        for name in group:
            path = f"{above}/{name}"
            parts += 1
            if parts > MOST_PARTS:
                raise ForeignFile(f"holds more than {MOST_PARTS:,} parts")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ForeignFile(f"holds {shown(path)}, which is a link")
            part = group[name]
            if (address := h5py.h5o.get_info(part.id).addr) in seen:
                raise ForeignFile(f"holds {shown(path)} under two names")
            seen.add(address)
            if isinstance(part, h5py.Group):
                waiting.append((path, part))
                continue
            if not isinstance(part, h5py.Dataset):
                raise ForeignFile(f"holds {shown(path)}, which is no array of numbers")
            parts += _check_attributes(path, part)
            yield path, part


def _check_attributes(path: str, part: h5py.Group | h5py.Dataset) -> int:
    """Raise `ForeignFile` for attributes that weights do not need; returns their number."""
    names = list(part.attrs)[: MOST_PARTS + 1]
    for name in names:
        found = part.attrs.get_id(name)
        # Strings of variable length are stored separately and may be shared; Keras uses scalar ones only
        if math.prod(found.shape) * found.dtype.itemsize > MOST_NAMES or (found.dtype.kind == "O" and found.shape):
            raise ForeignFile(f"holds {shown(path or '/')} with an attribute that weights have no use for")
    return len(names)


def _check_stored(name: str, dataset: h5py.Dataset, left: int) -> None:
    """Raise `ForeignFile` unless `dataset` is plain numbers of at most `left` bytes, stored in this file."""
    itemsize = dataset.dtype.itemsize
    if dataset.dtype.kind not in "fiu" or dataset.size is None:
        raise ForeignFile(f"holds {shown(name)}, which is no array of numbers")
    if dataset.is_virtual or dataset.external:
        raise ForeignFile(f"holds {shown(name)}, whose numbers lie in another file")
    chunk = math.prod(dataset.chunks or ()) * itemsize
    if max(dataset.size * itemsize, chunk if dataset.chunks else 0) > left:
        raise ForeignFile(f"holds {shown(name)} {shown(str(dataset.shape))}, more numbers than it can be of use for")


def _check_finite(name: str, dataset: h5py.Dataset) -> None:
    if dataset.dtype.kind == "f" and dataset.size:
        array = dataset[()]
        if not np.isfinite([array.min(), array.max()]).all():
            raise ForeignFile(f"holds {shown(name)} with NaN or infinite numbers")
