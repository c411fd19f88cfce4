"""Archives that `savez` did not write, or with other arrays: they are refused, without taking memory."""

import io
import os
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from pipeline.store.npz import PIECE, ArrayForm, DamagedFile, ForeignFile, UnusableFile, check_finite, read_npz

FORMS = {
    "weights": ArrayForm(("float32",), (300, 20)),
    "count": ArrayForm(("int32", "int64")),
    "note": ArrayForm(("uint8",), (None,), most=50),
}
ARRAYS = {"weights": np.ones((300, 20), np.float32), "count": np.int64(7), "note": np.zeros(3, np.uint8)}


@pytest.fixture
def path(tmp_path) -> Path:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    return tmp_path / "a.npz"


def error_of(path: Path, kind: type[UnusableFile] = UnusableFile) -> str:
    """The message of the error for the file `path`, which must be refused without taking much memory."""
    tracemalloc.start()
    with pytest.raises(kind) as caught:
        read_npz(path, FORMS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * PIECE
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 250
    return message


def npy_member(array: np.ndarray, header: bytes | None = None) -> bytes:
    """A member of an archive: `array` as an NPY file, or its data after another `header`."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    if header is None:
        return buffer.getvalue()
    return npy.magic(1, 0) + struct.pack("<H", len(header)) + header + array.tobytes()


def write_archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def archive_with(path: Path, **arrays: np.ndarray | bytes) -> Path:
    """The archive with some of its arrays replaced, by arrays or by raw members."""
    parts = {
        name: array if isinstance(array, bytes) else npy_member(array) for name, array in (ARRAYS | arrays).items()
    }
    return write_archive(path, {f"{name}.npy": data for name, data in parts.items()})


def test_read_npz_returns_arrays_of_the_expected_forms(path):
    found = read_npz(path, FORMS)
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
    np.savez(path, **ARRAYS | {"count": np.int32(8), "weights": np.asfortranarray(ARRAYS["weights"])})
    assert read_npz(path, FORMS)["count"].dtype == np.int32
    assert np.array_equal(read_npz(path, FORMS)["weights"], ARRAYS["weights"])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((300, 21), np.float32), r"weights is float32 \(300, 21\) where float32 \(300, 20\) is expected"),
        (np.ones((300, 20, 1), np.float32), "weights is float32"),
        (np.ones((300, 20)), "weights is float64"),
        (np.ones((300, 20), np.dtype("f4").newbyteorder()), r"weights is float32 in another byte order \(300, 20\)"),
        (np.ones((300, 20), np.complex64), "weights is complex64"),
        (np.full((300, 20), "abc"), "weights is str"),
        (np.zeros((300, 20), [("a", "f4"), ("b", "f4")]), "weights is void"),
        (np.zeros((300, 20), "M8[s]"), "weights is datetime64"),
        (np.zeros((0, 20), np.float32), "weights is float32"),
    ],
)
def test_other_shape_or_type_is_foreign(path, array, expected):
    message = error_of(archive_with(path, weights=array), ForeignFile)
    assert re.search(expected, message)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-300, -20), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (300, 2.5), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 900 + b",), }",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (300, 20), }",
        b"{'descr': '|V0', 'fortran_order': False, 'shape': (10, 100000000000), }",
        b"{'descr': '<f4', 'fortran_order': False}",
        b"{'descr': [" + b"[" * 300 + b"}",
        b"-" * 900 + b"1",
        b"(" * 900,
        b"__import__('os').abort()",
        b"\xff" * 20,
        b"",
        b" " * 60000,
    ],
    ids=lambda header: ascii(header[-50:]),
)
def test_wrong_or_invalid_header_is_refused(path, header):
    error_of(archive_with(path, weights=npy_member(ARRAYS["weights"], header=header + b"\n")))


def test_huge_header_is_not_read(path):
    version_two = npy.magic(2, 0) + struct.pack("<I", 50 << 20) + b" " * (50 << 20)
    assert "header" in error_of(archive_with(path, weights=version_two), DamagedFile)


def test_pickle_is_not_loaded(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], object), allow_pickle=True)
    error_of(archive_with(path, weights=buffer.getvalue()), DamagedFile)


def missing_array(path: Path) -> None:
    write_archive(path, {"weights.npy": npy_member(ARRAYS["weights"])})


def unknown_array(path: Path) -> None:
    archive_with(path, **{"a\nb\x1b[2J": np.zeros(2)})


def text_member(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "hello")


def compressed(path: Path) -> None:
    """A member that is a thousand times as large as the file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("weights.npy", "w") as out:
        for _ in range(8):
            out.write(bytes(1 << 24))


def duplicate_member(path: Path) -> None:
    """The same member twice."""
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("weights.npy", npy_member(ARRAYS["weights"]))


def set_in_directory(path: Path, offset: int, value: bytes) -> None:
    """Write `value` at the offset `offset` of each entry of the directory."""
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + offset : at + offset + len(value)] = value
        at = data.find(b"PK\x01\x02", at + 4)
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    set_in_directory(path, 8, b"\x01\x00")


def too_large_sizes(path: Path) -> None:
    set_in_directory(path, 20, struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0))


def too_large_uncompressed_size(path: Path) -> None:
    set_in_directory(path, 24, struct.pack("<I", 0x7FFFFFFF))


def overlapping(path: Path) -> None:
    set_in_directory(path, 42, struct.pack("<I", 0))


def thousands_of_members(path: Path) -> None:
    write_archive(path, {f"{number}.npy": b"" for number in range(20_000)})


def endless_directory(path: Path) -> None:
    """A directory with a declared and actual size of 200 MB."""
    size = 200 << 20
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, size, 0, 0))


def wrong_zip64_size(path: Path) -> None:
    """The same in the ZIP64 record, while the ordinary record is correct."""
    size = 200 << 20
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, size, 0))
        file.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, 300, 0, 0))


def flipped_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(np.float32(1).tobytes() * 9)] ^= 1
    path.write_bytes(data)


def named_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def npy_file(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


HOSTILE = [missing_array, unknown_array, text_member, compressed, duplicate_member, encrypted,
           too_large_sizes, too_large_uncompressed_size, overlapping, thousands_of_members, endless_directory,
           wrong_zip64_size, flipped_bit, named_pipe, endless_device, folder, empty_file, npy_file,
           Path.unlink]  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_hostile_archive_is_refused_and_takes_little_memory(path, make: Callable[[Path], None]):
    make(path)
    error_of(path)


def test_check_finite_names_the_array_with_nan():
    check_finite({"a": np.ones(3), "b": np.array([1 << 60]), "c": np.zeros(0)})
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(ForeignFile, match=r"^b holds NaN or infinite numbers$"):
            check_finite({"a": np.ones(3), "b": np.array([1.0, wrong, 2.0], np.float16)})
