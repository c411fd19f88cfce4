"""NPZ files that somebody else, or a bad disk, may have made: read only if they hold the arrays that are asked for.

A file says itself how many arrays it holds and how large they are, and may lie. So it is looked at in this order, and
no step takes more memory than what is asked for: the directory of the archive, which must name stored members that fit
into the file (see `StoredZip`); the NPY header of each array, which must have the type and the shape asked for; the
data. Nothing is pickled.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from pipeline.filter.stored_zip import PIECE, Damaged, Foreign, StoredZip, or_damaged, shown

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
        rest = memoryview(array.view(np.uint8))
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
