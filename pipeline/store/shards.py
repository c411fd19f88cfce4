"""Tar shards in the layout of WebDataset: the files of a sample stand one after the other and share their key.

`00042.png`, `00042.json` and `00042.txt` are the files `png`, `json` and `txt` of the sample with the key `00042`. What
is written depends on the samples alone, so the same samples give the same bytes. What is read may come from a stranger:
nothing is unpacked to a path, headers have bounds, and a damaged shard gives the samples before the damage. Source:
https://github.com/webdataset/webdataset, and POSIX.1-1988 (ustar) for the format of a header.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

BLOCK = 512  # bytes: headers have one, and files begin at a multiple of it
TIME = 315_532_800  # of every file, 1980-01-01: programs warn of files from 1970
MAX_NAME_BYTES = 100  # that an ustar header has for a name
MAX_EXTENDED_BYTES = 1 << 16  # of a header with a longer name
MAX_DIGITS = 19  # of a size in such a header
MAX_FILES = 100  # of one sample
_KEY, _EXTENSION = re.compile(r"[^/.\0]+(/[^/.\0]+)*"), re.compile(r"[^/\0]+")
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")
_PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}
_EXTENDED = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME}
_SKIPPED = {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK}  # headers without path or size
_WITHOUT_CONTENT = {
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}
GZIP = b"\x1f\x8b"
CUT_SHORT, NO_TAR = "it is cut short", "it is no tar file"


class DamagedShard(Exception):
    """A shard cannot be read beyond some point; the message says why."""


class Sample(NamedTuple):
    """A sample: the content of its files by extension, in the order in which they are written."""

    key: str
    files: Mapping[str, bytes]


class Place(NamedTuple):
    """Where a file of a sample is in its shard, in bytes."""

    offset: int
    size: int


@dataclass
class Entry:
    """A sample in the index of a shard: the places of its files by extension, in lower case."""

    key: str
    files: dict[str, Place] = field(default_factory=dict)


def write_shard(file: BinaryIO, samples: Iterable[Sample]) -> list[Entry]:
    """Write `samples` to `file` from its beginning, and return the index of the shard.

    Raises:
        ValueError: A key has a dot, or a name is empty or longer than `MAX_NAME_BYTES`.
    """
    index, offset = [], 0
    for sample in samples:
        entry = Entry(sample.key)
        for extension, content in sample.files.items():
            file.write(_header(_name(sample.key, extension), len(content)))
            file.write(content)
            file.write(bytes(_padding(len(content))))
            entry.files[extension.lower()] = Place(offset + BLOCK, len(content))
            offset = _end(entry.files[extension.lower()])
        index.append(entry)
    file.write(bytes(2 * BLOCK))
    return index


def split_name(name: str) -> tuple[str, str]:
    """Key and extension, in lower case, of the file `name`: the key ends at the first dot. Both are empty if the file
    is no part of a sample.
    """
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, extension = file.partition(".")
    return (folder + slash + stem, extension.lower()) if stem and extension else ("", "")


def index_shard(file: BinaryIO) -> Iterator[Entry]:
    """Yield the samples of a shard in its order; a file that is no part of a sample is left out.

    A second file of one name begins another sample with the same key.

    Only headers are read, so a place may lie beyond the end of a shard that is cut short.

    Raises:
        DamagedShard: After the last sample that can be read.
    """
    entry: Entry | None = None
    try:
        for name, place in _members(file):
            key, extension = split_name(name)
            if not extension:
                continue
            if entry is None or entry.key != key or extension in entry.files:
                if entry is not None:
                    yield entry
                entry = Entry(key)
            if len(entry.files) == MAX_FILES:
                raise DamagedShard(f"a sample has more than {MAX_FILES} files")
            entry.files[extension] = place
    except DamagedShard:
        if entry is not None:
            yield entry
        raise
    if entry is not None:
        yield entry


def read_place(file: BinaryIO, place: Place) -> bytes:
    """The content of a file of a sample. The caller has checked its size: it may be that of the whole shard, and no
    more. Errors: `DamagedShard` if it is cut short.
    """
    if place.offset + place.size > file.seek(0, 2):  # a header promises what it likes
        raise DamagedShard(CUT_SHORT)
    file.seek(place.offset)
    return file.read(place.size)


def read_shard(file: BinaryIO) -> Iterator[Sample]:
    """Yield the samples of a shard with their content, which may be as large as the shard.

    Errors: `DamagedShard`.
    """
    for entry in index_shard(file):
        yield Sample(entry.key, {extension: read_place(file, place) for extension, place in entry.files.items()})


def _name(key: str, extension: str) -> bytes:
    name = f"{key}.{extension}".encode()
    if not _KEY.fullmatch(key) or not _EXTENSION.fullmatch(extension) or len(name) > MAX_NAME_BYTES:
        raise ValueError(f"{key!r} with the extension {extension!r} cannot be a name in a shard")
    return name


def _header(name: bytes, size: int) -> bytes:
    """An ustar header. Python's own has other bytes in some versions."""
    head = name.ljust(MAX_NAME_BYTES, b"\0") + b"0000644\0" + 2 * b"0000000\0" + b"%011o\0%011o\0" % (size, TIME)
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + 2 * b"0000000\0" + bytes(167)
    return head + b"%06o\0 " % (sum(head) + 8 * ord(" ") + sum(tail)) + tail


def _members(file: BinaryIO) -> Iterator[tuple[str, Place]]:
    """Yield name and place of each file in a tar. Errors: `DamagedShard`."""
    size, offset = file.seek(0, 2), 0
    extended: dict[str, str] = {}  # what headers before this one say of the next file
    while (info := _info(file, offset)) is not None:
        place = Place(offset + BLOCK, 0 if info.type in _WITHOUT_CONTENT else info.size)
        if info.type in _EXTENDED:
            extended |= _extended(file, info, place)
        elif info.type not in _SKIPPED:
            place = place._replace(size=int(extended.get("size", place.size)))
            if info.type in _PLAIN:
                yield extended.get("path", info.name), place
            extended = {}
        offset = _end(place)
        if offset > size:
            raise DamagedShard(CUT_SHORT)


def _info(file: BinaryIO, offset: int) -> tarfile.TarInfo | None:
    """The header at `offset`; None for the mark of the end. Errors: `DamagedShard`."""
    file.seek(offset)
    block = file.read(BLOCK)
    if block[:2] == GZIP and offset == 0:
        raise DamagedShard("it is compressed; only plain tar files are read")
    if len(block) < BLOCK:
        raise DamagedShard(CUT_SHORT if offset else NO_TAR)
    if not any(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError:
        raise DamagedShard(f"it is damaged at byte {offset:,}" if offset else NO_TAR) from None
    if info.size < 0 or info.type == tarfile.GNUTYPE_SPARSE:
        raise DamagedShard(f"the file at byte {offset:,} cannot be read")
    return info


def _extended(file: BinaryIO, info: tarfile.TarInfo, place: Place) -> dict[str, str]:
    """Path and size of the next file, as far as an extended header (of GNU or pax) says them."""
    if place.size > MAX_EXTENDED_BYTES:
        raise DamagedShard(f"the header at byte {place.offset - BLOCK:,} is too long")
    content = read_place(file, place)
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf-8", "replace")}
    found = {name: value for name, value in _pax_records(content) if name == "path" or value.isdecimal()}
    if len(found.get("size", "")) > MAX_DIGITS:
        raise DamagedShard(f"the header at byte {place.offset - BLOCK:,} has an endless size")
    return found


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield names and values of records `LENGTH NAME=VALUE\\n`; the length counts the whole record."""
    while found := _PAX_LENGTH.match(content):
        record, content = content[: int(found[1])], content[int(found[1]) :]
        name, is_record, value = record[found.end() : -1].decode("utf-8", "replace").partition("=")
        if is_record and name in ("path", "size"):
            yield name, value


def _padding(size: int) -> int:
    return -size % BLOCK


def _end(place: Place) -> int:
    """Where the next header is."""
    return place.offset + place.size + _padding(place.size)
