"""ZIP archives that somebody else, or a bad disk, may have made: opened only if nothing in them is packed.

NumPy's `savez` and Keras' `save` store their members as they are. So an archive that holds a compressed one, or members
larger than itself, is none of theirs, and whatever it claims, no more is read than it is long.
"""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

PIECE = 1 << 20  # bytes read at once, and so of a directory: some ten thousand members; a checkpoint has hundreds
SHOWN = 60  # characters that a message shows of what a file says


class Unfit(ValueError):
    """A file cannot be used; the text says why in a few words, and the caller which file and what to do."""


class Damaged(Unfit):
    """It is no such file, or was cut short or changed."""


class Foreign(Unfit):
    """It may be whole, but it is not of what it is to be used for."""


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

    def __enter__(self) -> "StoredZip":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def open(self, name: str) -> IO[bytes]:
        """The member `name`, to be read inside `or_damaged`. At its end its checksum is compared."""
        return self._archive.open(self._members[name])

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
