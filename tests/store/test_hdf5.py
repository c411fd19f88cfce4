"""HDF5 files of weights that contain more than plain numbers, or something else."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.store.hdf5 import check_weights
from pipeline.store.npz import DamagedFile, ForeignFile, UnusableFile

MOST = 1 << 20


@pytest.fixture
def path(tmp_path) -> Path:
    """A file as Keras writes it: 330 numbers."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.ones((30, 10), np.float32))
        file.create_dataset("layers/dense/vars/1", data=np.zeros(30, np.float32))
        file["layers/dense/vars"].attrs["name"] = "dense"
        file.attrs["layer_names"] = np.array([b"dense", b"dense_1"])
    return tmp_path / "a.h5"


def soft_link(file: h5py.File) -> None:
    file["other"] = h5py.SoftLink("/layers")


def external_link(file: h5py.File) -> None:
    file["other"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("other", (100,), "u1", external=[("/etc/passwd", 0, 100)])


def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(30, 10), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "a", shape=(30, 10))
    file.create_virtual_dataset("other", layout)


def cycle(file: h5py.File) -> None:
    file["layers/again"] = file["layers"]


def huge_unwritten(file: h5py.File) -> None:
    """A dataset of terabytes that was never written."""
    file.create_dataset("other", (10**6, 10**6), "f4")


def compressed(file: h5py.File) -> None:
    file.create_dataset("other", data=np.zeros(1 << 24, np.float32), compression="gzip", chunks=(1 << 20,))


def huge_chunk(file: h5py.File) -> None:
    """Ten numbers in a chunk of a gigabyte."""
    file.create_dataset("other", (10,), "f4", maxshape=(None,), chunks=(1 << 28,), compression="gzip")


def many_datasets(file: h5py.File) -> None:
    for number in range(7):
        file.create_dataset(f"part{number}", (40_000,), "f4")


def strings(file: h5py.File) -> None:
    file["other"] = ["a", "b"]


def compound_type(file: h5py.File) -> None:
    file["other"] = np.zeros(3, [("a", "f4"), ("b", "f4")])


def empty_dataset(file: h5py.File) -> None:
    file["other"] = h5py.Empty("f4")


def named_type(file: h5py.File) -> None:
    file["other"] = np.dtype("f4")


def long_attribute(file: h5py.File) -> None:
    file["layers"].attrs["names"] = ["x" * 60_000] * 500


def not_finite(file: h5py.File) -> None:
    file["layers/dense/vars/1"][3] = np.nan


def infinite(file: h5py.File) -> None:
    file["layers/dense/vars/1"][3] = -np.inf


HOSTILE = [soft_link, external_link, external_storage, virtual_dataset, cycle, huge_unwritten, compressed,
           huge_chunk, many_datasets, strings, compound_type, empty_dataset, named_type, long_attribute,
           not_finite, infinite]  # fmt: skip


def test_check_weights_counts_numbers(path):
    assert check_weights(path, most=MOST) == 330
    with pytest.raises(ForeignFile, match="more numbers than"):
        check_weights(path, most=1000)


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_hostile_file_is_foreign_and_takes_little_memory(path, change: Callable[[h5py.File], None]):
    with h5py.File(path, "a") as file:
        change(file)
    tracemalloc.start()
    with pytest.raises(ForeignFile, match=r"^holds /(other|layers|part6)") as caught:
        check_weights(path, most=MOST)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kept", [0, 7, 100, 900, -300])
def test_truncated_or_other_file_is_damaged(path, kept):
    data = path.read_bytes()
    for broken in (data[:kept], b"\x1cTFL3" + data[:kept], data[:8] + bytes(reversed(data[8:]))):
        path.write_bytes(broken)
        with pytest.raises(DamagedFile, match="is no HDF5 file, or not a whole one"):
            check_weights(path, most=MOST)


def test_any_changed_byte_is_accepted_or_reported(path):
    data, messages = path.read_bytes(), []
    for position in range(0, len(data), 97):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        try:
            assert check_weights(path, most=MOST) <= MOST // 4
        except UnusableFile as error:
            messages.append(str(error))
    assert messages
    assert all(map(str.isprintable, messages))
