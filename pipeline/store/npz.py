"""Read ZIP and NPZ files that may be damaged or hostile, in memory that is bounded before reading.

NumPy's `savez` and Keras' `save` store their members unpacked. So an archive with a compressed member, or with members
larger than itself, is not one of theirs. A file says itself how many arrays it holds and how large they are, and may
lie. So it is checked in this order: the directory of the archive, which must name stored members that fit into the
file; the NPY header of each array, which must have the expected type and shape; the data. Nothing is pickled.
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

PIECE = 1 << 20  # bytes read at once, and so of a directory: some ten thousand members; a checkpoint has hundreds
SHOWN = 60  # characters that a message shows of what a file says


class Unfit(ValueError):
    """A file cannot be used; the text says why in a few words, and the caller which file and what to do."""


class Damaged(Unfit):
    """It is no such file, or was cut short or changed."""


class Foreign(Unfit):
    """It may be whole, but it is not of what it is to be used for."""


_Zip = TypeVar("_Zip", bound="StoredZip")


class StoredZip:
    """An open archive whose directory has been checked; a context manager. `sizes` has the bytes of every member by its
    name, in the order of the file.

    Errors: `Damaged` if `path` is no file, no archive, or one with members that are compressed, encrypted, there twice,
    or larger than the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            if not path.is_file():  # a pipe would be waited for, and a device read without end
                raise Damaged("is no file")
            self._file = _Careful(io.FileIO(path))
        except OSError as error:
            raise Damaged(f"cannot be read ({error.strerror})") from None
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
        """The member `name`, to be read inside `or_damaged`. At its end its checksum is compared."""
        return cast(zipfile.ZipExtFile, self._archive.open(self._members[name]))

    def read(self, name: str, most: int) -> bytes:
        """The whole of the member `name`. Errors: `Foreign` if it is not there, or has more than `most` bytes."""
        if name not in self._members:
            raise Foreign(f"holds no {name}")
        if (size := self._members[name].file_size) > most:
            raise Foreign(f"holds a {name} of {size:,} bytes where {most:,} are enough")
        with or_damaged(f"holds a {name} that is not what was written"), self.open(name) as member:
            return b"".join(iter(lambda: member.read(PIECE), b""))

    def _directory(self, size: int) -> dict[str, zipfile.ZipInfo]:
        """The members by their names, in a file of `size` bytes."""
        with or_damaged("is no archive, or not a whole one"):
            self._archive = zipfile.ZipFile(self._file)
        infos = self._archive.infolist()
        members = {info.filename: info for info in infos}
        if len(members) < len(infos):
            raise Damaged("holds the same member twice")
        if not all(map(_is_plain, infos)) or sum(info.file_size for info in infos) > size:
            raise Damaged("holds compressed or encrypted members, or larger ones than the file")
        return members


@contextlib.contextmanager
def or_damaged(told: str) -> Iterator[None]:
    """Whatever goes wrong inside is `Damaged`: there is no list of what libraries may raise for bytes that nobody has
    written."""
    try:
        yield
    except Exception:
        raise Damaged(told) from None


def shown(text: str) -> str:
    """`text` out of a file, fit for a message."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class _Careful(io.BufferedReader):
    """A file of which nobody reads much at once: `ZipFile` reads as long a directory as the file claims to have."""

    def read(self, size: int | None = -1) -> bytes:
        """As any file; an error beyond PIECE."""
        if size is not None and size > PIECE:
            raise zipfile.BadZipFile
        return super().read(size)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a member lies in the file as it is."""
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
    return stored and not info.flag_bits & 1  # the bit of encryption


Arrays = dict[str, np.ndarray]
SUFFIX = ".npy"
LONGEST_HEADER = 1000  # bytes; NumPy's own have 118


@dataclass(frozen=True)
class Form:
    """What an array has to be: of one of the NumPy `types`, and of `shape`, where None is a length of at most `most`.

    With `types` of several widths, such as int32 and int64, the array keeps the one that it was written with.
    """

    types: tuple[str, ...]
    shape: tuple[int | None, ...] = ()
    most: int = 0

    def fits(self, header: "Header") -> bool:
        """Whether an array with this `header` is of this form."""
        return (
            any(header.dtype == np.dtype(each) for each in self.types)
            and len(header.shape) == len(self.shape)
            and all(
                0 <= found <= self.most if wanted is None else found == wanted
                for found, wanted in zip(header.shape, self.shape, strict=True)
            )
        )

    def __str__(self) -> str:
        """Such as float32 (64, 8)."""
        return f"{' or '.join(self.types)} {str(self.shape).replace('None', f'up to {self.most}')}"


Forms = Mapping[str, Form]


@dataclass(frozen=True)
class Header:
    """What a member says of its array, and where in the member the data begins."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    begins: int

    @property
    def numbers(self) -> int:
        """How many there are in the array."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How long the data is."""
        return self.numbers * self.dtype.itemsize

    def __str__(self) -> str:
        """Such as float32 (64, 8)."""
        order = "" if self.dtype.isnative else " in another byte order"
        return shown(f"{self.dtype.name}{order} {self.shape}")


class Npz(StoredZip):
    """An open NPZ file whose directory has been checked. Errors: those of `StoredZip`; `Damaged` for other members."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not all(name.endswith(SUFFIX) for name in self.sizes):
            self._file.close()
            raise Damaged("holds members that are no arrays")

    @property
    def names(self) -> list[str]:
        """Of all arrays, in the order of the file."""
        return [name.removesuffix(SUFFIX) for name in self.sizes]

    def header(self, name: str) -> Header:
        """What the array `name` is. Errors: `Damaged` if that cannot be read, or the data is not as long as it says."""
        told = f"holds {shown(name)} without a header that can be read"
        with or_damaged(told), self.open(name + SUFFIX) as member:
            if npy.read_magic(member) != (1, 0):  # later versions are for headers longer than LONGEST_HEADER
                raise ValueError
            shape, fortran, dtype = npy.read_array_header_1_0(member, max_header_size=LONGEST_HEADER)
            found = Header(dtype, shape, fortran, member.tell())
        if dtype.hasobject or found.begins + found.bytes != self.sizes[name + SUFFIX]:
            raise Damaged(f"holds {shown(name)}, which is not as long as it says, or no array of numbers")
        return found

    def check(self, forms: Forms) -> dict[str, Header]:
        """The headers of all arrays, which are those of `forms`. Errors: `Foreign`, or those of `header`."""
        if lacking := [name for name in forms if name + SUFFIX not in self.sizes]:
            raise Foreign(f"holds no {lacking[0]}")
        if strange := [name for name in self.names if name not in forms]:
            raise Foreign(f"holds {shown(strange[0])}, which has no place here")
        headers = {name: self.header(name) for name in self.names}
        for name, form in forms.items():
            if not form.fits(headers[name]):
                raise Foreign(f"{name} is {headers[name]} where {form} is expected")
        return headers

    def array(self, name: str, header: Header) -> np.ndarray:
        """The array `name` with that `header`, whose size the caller has checked. Errors: `Damaged`."""
        array = np.empty(header.numbers, header.dtype)
        rest = array.view(np.uint8).data
        with or_damaged(f"holds {shown(name)}, which is not what was written"), self.open(name + SUFFIX) as member:
            member.read(header.begins)
            while rest:
                if not (count := member.readinto(rest[:PIECE])):
                    raise EOFError
                rest = rest[count:]
        return array.reshape(header.shape[::-1]).T if header.fortran else array.reshape(header.shape)


def read_npz(path: Path, forms: Forms) -> Arrays:
    """The arrays of the NPZ file `path`, which holds those of `forms` and no others. Errors: those of `Npz`."""
    with Npz(path) as file:
        headers = file.check(forms)
        return {name: file.array(name, header) for name, header in headers.items()}


def check_finite(arrays: Arrays) -> None:
    """Raise `Foreign` with the name of the first of `arrays` that holds NaN or infinite numbers."""
    for name, array in arrays.items():
        # The extremes alone: NaN is both, and looking at each number would take memory
        if array.dtype.kind == "f" and array.size and not np.isfinite([array.min(), array.max()]).all():
            raise Foreign(f"{name} holds NaN or infinite numbers")
