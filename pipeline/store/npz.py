"""Read ZIP and NPZ files that may be damaged or hostile, in memory that is bounded before reading.

NumPy's `savez` and Keras' `save` store their members uncompressed, so an archive with a compressed member, or with
members larger than itself, is refused. The sizes that a file declares may be wrong, so it is checked in this order: the
directory of the archive, which must name stored members that fit into the file; the NPY header of each array, which
must have the expected type and shape; the data. Pickles are never loaded.
"""

import contextlib
import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import numpy as np
from numpy.lib import format as npy

# Bytes read at once; also limits the directory to about ten thousand members; a checkpoint has hundreds
PIECE = 1 << 20
SHOWN = 60  # characters of a file's text that a message shows


class UnusableFile(ValueError):
    """A file cannot be used; the text says why in a few words, and the caller adds the file and what to do."""


class DamagedFile(UnusableFile):
    """The file has another format, or was truncated or changed."""


class ForeignFile(UnusableFile):
    """The file may be undamaged, but it has other content than expected."""


_Zip = TypeVar("_Zip", bound="StoredZip")


class StoredZip:
    """An open archive with a checked directory; a context manager. `sizes` maps each member's name to its bytes.

    Raises:
        DamagedFile: `path` is not a file or not an archive, or members are compressed, encrypted, duplicate, or larger
            than the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            if not path.is_file():  # a pipe would block, and a device never ends
                raise DamagedFile("is no file")
            self._file = _BoundedReader(io.FileIO(path))
        except OSError as error:
            raise DamagedFile(f"cannot be read ({error.strerror})") from None
        try:
            self._members = self._directory(path.stat().st_size)
            self.sizes = {name: info.file_size for name, info in self._members.items()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self: _Zip) -> _Zip:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def open(self, name: str) -> zipfile.ZipExtFile:
        """Open the member `name`, to be read inside `or_damaged_file`; its checksum is verified at the end."""
        return cast(zipfile.ZipExtFile, self._archive.open(self._members[name]))

    def read(self, name: str, most: int) -> bytes:
        """Read the member `name`; raises `ForeignFile` if it is missing or has more than `most` bytes."""
        if name not in self._members:
            raise ForeignFile(f"holds no {name}")
        if (size := self._members[name].file_size) > most:
            raise ForeignFile(f"holds a {name} of {size:,} bytes where {most:,} are enough")
        with or_damaged_file(f"holds a {name} that is not what was written"), self.open(name) as member:
            return b"".join(iter(lambda: member.read(PIECE), b""))

    def _directory(self, size: int) -> dict[str, zipfile.ZipInfo]:
        """The members by name, in a file of `size` bytes."""
        with or_damaged_file("is no archive, or not a whole one"):
            self._archive = zipfile.ZipFile(self._file)
        infos = self._archive.infolist()
        members = {info.filename: info for info in infos}
        if len(members) < len(infos):
            raise DamagedFile("holds the same member twice")
        if not all(map(_is_stored_uncompressed, infos)) or sum(info.file_size for info in infos) > size:
            raise DamagedFile("holds compressed or encrypted members, or larger ones than the file")
        return members


@contextlib.contextmanager
def or_damaged_file(message: str) -> Iterator[None]:
    """Convert any exception inside to `DamagedFile`: libraries may raise any exception for damaged files."""
    try:
        yield
    except Exception:
        raise DamagedFile(message) from None


def shown(text: str) -> str:
    """Text from a file, sanitised and shortened for a message."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class _BoundedReader(io.BufferedReader):
    """A file that refuses long reads: `ZipFile` reads a directory as long as the file declares."""

    def read(self, size: int | None = -1) -> bytes:
        """Read up to PIECE bytes; a longer read raises `BadZipFile`."""
        if size is not None and size > PIECE:
            raise zipfile.BadZipFile
        return super().read(size)


def _is_stored_uncompressed(info: zipfile.ZipInfo) -> bool:
    """Whether a member is stored uncompressed and unencrypted."""
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
    return stored and not info.flag_bits & 1  # bit 0 means encrypted


Arrays = dict[str, np.ndarray]
SUFFIX = ".npy"
LONGEST_HEADER = 1000  # bytes; NumPy's own have 118


@dataclass(frozen=True)
class ArrayForm:
    """The expected form of an array: one of the NumPy `types`, and `shape`, where None is a length of at most `most`.

    With types of different widths, such as int32 and int64, the array keeps the type in the file.
    """

    types: tuple[str, ...]
    shape: tuple[int | None, ...] = ()
    most: int = 0

    def fits(self, header: "Header") -> bool:
        """Whether an array with this `header` has this form."""
        return (
            any(header.dtype == np.dtype(each) for each in self.types)
            and len(header.shape) == len(self.shape)
            and all(
                0 <= actual <= self.most if length is None else actual == length
                for actual, length in zip(header.shape, self.shape, strict=True)
            )
        )

    def __str__(self) -> str:
        """For example float32 (64, 8)."""
        return f"{' or '.join(self.types)} {str(self.shape).replace('None', f'up to {self.most}')}"


ArrayForms = Mapping[str, ArrayForm]


@dataclass(frozen=True)
class Header:
    """The NPY header of an array, and the offset at which the data begins."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    begins: int

    @property
    def numbers(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """The size of the data in bytes."""
        return self.numbers * self.dtype.itemsize

    def __str__(self) -> str:
        """For example float32 (64, 8)."""
        order = "" if self.dtype.isnative else " in another byte order"
        return shown(f"{self.dtype.name}{order} {self.shape}")


class Npz(StoredZip):
    """An open NPZ file with a checked directory; raises as `StoredZip`, and `DamagedFile` for members that are not
    arrays.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not all(name.endswith(SUFFIX) for name in self.sizes):
            self._file.close()
            raise DamagedFile("holds members that are no arrays")

    @property
    def names(self) -> list[str]:
        """The names of all arrays, in the order of the file."""
        return [name.removesuffix(SUFFIX) for name in self.sizes]

    def header(self, name: str) -> Header:
        """The header of the array `name`; raises `DamagedFile` if it cannot be read or does not match the size of
        the data.
        """
        message = f"holds {shown(name)} without a header that can be read"
        with or_damaged_file(message), self.open(name + SUFFIX) as member:
            if npy.read_magic(member) != (1, 0):  # later versions have headers longer than LONGEST_HEADER
                raise ValueError
            shape, fortran, dtype = npy.read_array_header_1_0(member, max_header_size=LONGEST_HEADER)
            found = Header(dtype, shape, fortran, member.tell())
        if dtype.hasobject or found.begins + found.bytes != self.sizes[name + SUFFIX]:
            raise DamagedFile(f"holds {shown(name)}, which is not as long as it says, or no array of numbers")
        return found

    def check(self, forms: ArrayForms) -> dict[str, Header]:
        """The headers of all arrays, after a check against `forms`; raises `ForeignFile` or as `header`."""
        if lacking := [name for name in forms if name + SUFFIX not in self.sizes]:
            raise ForeignFile(f"holds no {lacking[0]}")
        if unknown := [name for name in self.names if name not in forms]:
            raise ForeignFile(f"holds {shown(unknown[0])}, which does not belong in it")
        headers = {name: self.header(name) for name in self.names}
        for name, form in forms.items():
            if not form.fits(headers[name]):
                raise ForeignFile(f"{name} is {headers[name]} where {form} is expected")
        return headers

    def array(self, name: str, header: Header) -> np.ndarray:
        """Read the array `name` with that `header`, whose size the caller has checked; raises `DamagedFile`."""
        array = np.empty(header.numbers, header.dtype)
        rest = array.view(np.uint8).data
        with or_damaged_file(f"holds {shown(name)}, which is not what was written"), self.open(name + SUFFIX) as member:
            member.read(header.begins)
            while rest:
                if not (count := member.readinto(rest[:PIECE])):
                    raise EOFError
                rest = rest[count:]
        return array.reshape(header.shape[::-1]).T if header.fortran else array.reshape(header.shape)


def read_npz(path: Path, forms: ArrayForms) -> Arrays:
    """Read the arrays of the NPZ file `path`, which must be exactly those of `forms`; raises as `Npz`."""
    with Npz(path) as file:
        headers = file.check(forms)
        return {name: file.array(name, header) for name, header in headers.items()}


def check_finite(arrays: Arrays) -> None:
    """Raise `ForeignFile` with the name of the first of `arrays` that contains NaN or infinite numbers."""
    for name, array in arrays.items():
        # Minimum and maximum are enough, because NaN propagates to both; a mask of all numbers would take memory
        if array.dtype.kind == "f" and array.size and not np.isfinite([array.min(), array.max()]).all():
            raise ForeignFile(f"{name} holds NaN or infinite numbers")
