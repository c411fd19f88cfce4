"""Pictures that somebody uploads, as files or in a zip: checked by their headers, renamed, and stored all or none.

A stored picture is named by what its sender called it and by its content: `tabby-1a2b3c4d5e6f.jpg`. So no name leaves
the folder, no picture replaces another, and the same content is stored once. Nothing is decoded here.
"""

import os
import re
import shutil
import stat
import struct
import tempfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from warnings import catch_warnings, simplefilter

from PIL import Image

from pipeline.errors import UserError
from pipeline.text import to_plain_line

SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "GIF": ".gif", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
DIGITS = 12  # hex digits of the SHA-256 in a name
CHUNK = 1 << 20  # bytes
STALE_SECONDS = 86_400.0  # after which the folder of an upload that a kill interrupted is deleted
WORK = ".upload-"
LONGEST_STEM = 100  # bytes of a name before its digest
SHOWN = 20  # files that are left out, and named with the reason
IGNORED = re.compile(
    r"(^|[/\\])(__MACOSX[/\\]|\.[^./\\]|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE
)  # of systems, not people
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OverflowError)
NAMED = re.compile(r"-([0-9a-f]{12})\.\w+")


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """What one upload may have."""

    files: int = 20_000
    directory: int = 8 << 20  # bytes of the list of files in a zip: Python holds some ten times as much in memory
    file: int = 100_000_000  # bytes of one picture
    total: int = 4 << 30  # bytes of all pictures, unpacked
    ratio: int = 100  # how many times larger unpacked than packed; pictures hardly get smaller
    free: int = 50_000_000  # bytes to which the ratio does not apply
    pixels: int = 178_000_000  # of one picture, by its header; more are never decoded later


@dataclass
class UploadReport:
    """What became of the files of one upload."""

    added: int = 0
    same: int = 0  # files whose content was there already
    left_out: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)  # (name, reason) of the first that were left out

    def leave_out(self, name: str, reason: str) -> None:
        """Count a file that is not stored."""
        self.left_out += 1
        if len(self.reasons) < SHOWN:
            self.reasons.append((to_plain_line(name, 200), reason))


class PictureStore:
    """Takes the files of one upload for the folder `folder`; `uploading` makes it, and publishes what it took."""

    def __init__(self, folder: Path, work: Path, limits: UploadLimits) -> None:
        self.report = UploadReport()
        self._work, self._limits = work, limits
        self._known = {found[1] for name in _names(folder) if (found := NAMED.search(name))}
        self._files = self._bytes = 0

    def add(self, name: str, file: IO[bytes]) -> None:
        """Take one file, a picture or a zip of pictures; other files are left out.

        Errors: `UserError` if the upload is refused as a whole.
        """
        if _is_zip(file):
            return self._add_zip(name, file)
        self._add_picture(name, file, self._limits.total)

    def _add_picture(self, name: str, file: IO[bytes], room: int) -> int:
        """Take one picture of at most `room` bytes; returns its bytes."""
        self._files += 1
        if self._files > self._limits.files:
            raise UserError(f"an upload may have {self._limits.files:,} files at most; send the others separately")
        draft = self._work / "draft"
        size, digest = self._copy(name, file, draft, room)
        if digest is None:
            self.report.leave_out(name, f"larger than {self._limits.file // 1_000_000} MB")
        elif reason := _unusable(draft, self._limits.pixels):
            self.report.leave_out(name, reason)
        elif digest[:DIGITS] in self._known:
            self.report.same += 1
        else:
            self._known.add(digest[:DIGITS])
            os.replace(draft, self._work / f"{safe_stem(name)}-{digest[:DIGITS]}{_suffix(draft)}")
            self.report.added += 1
        return size

    def _copy(self, name: str, file: IO[bytes], draft: Path, room: int) -> tuple[int, str | None]:
        """Copy a file; returns its bytes and its SHA-256, None for one that is too large."""
        size, digest = 0, sha256()
        with draft.open("wb") as copy:
            while chunk := file.read(CHUNK):
                size += len(chunk)
                self._bytes += len(chunk)
                if size > room or self._bytes > self._limits.total:
                    raise UserError(f"{_quoted(name)} unpacks to more than is allowed; nothing was stored")
                if size > self._limits.file:
                    return size, None
                digest.update(chunk)
                copy.write(chunk)
        return size, digest.hexdigest()

    def _add_zip(self, name: str, file: IO[bytes]) -> None:
        room = max(self._limits.free, self._limits.ratio * _length(file))
        try:
            _check_directory(name, file, self._limits)
            with zipfile.ZipFile(file) as archive:
                for entry in archive.infolist():
                    room -= self._add_entry(archive, entry, room)
        except BROKEN_ZIP as error:
            reason = to_plain_line(str(error), 100)
            raise UserError(f"{_quoted(name)} is no zip that can be read ({reason}); nothing was stored") from None

    def _add_entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> int:
        if entry.is_dir() or IGNORED.search(entry.filename):
            return 0
        if entry.flag_bits & 1:
            raise UserError(f"{_quoted(entry.filename)} is encrypted; send a zip without a password")
        if stat.S_ISLNK(entry.external_attr >> 16):
            self.report.leave_out(entry.filename, "a link, not a file")
            return 0
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may ask for gigabytes
            self.report.leave_out(entry.filename, "compressed in an unusual way")
            return 0
        with archive.open(entry) as file:
            return self._add_picture(entry.filename, file, room)


@contextmanager
def uploading(folder: Path, limits: UploadLimits | None = None) -> Iterator[PictureStore]:
    """Give a store for one upload, whose pictures are in `folder` when the block ends, and nowhere if it raises."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _delete_stale(folder.parent)
    work = Path(tempfile.mkdtemp(prefix=WORK, dir=folder.parent))
    try:
        store = PictureStore(folder, work, limits or UploadLimits())
        yield store
        (work / "draft").unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
        for name in _names(work):
            os.replace(work / name, folder / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def safe_stem(name: str) -> str:
    """The name of a file as it was called, without its folders, its ending and what file systems do not take."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    plain = unicodedata.normalize("NFC", to_plain_line(last.rpartition(".")[0] or last, 200))
    kept = re.sub(r'[<>:"|?*\x00-\x1f]', "_", plain).strip(". ")
    return kept.encode("utf-8", "replace")[:LONGEST_STEM].decode("utf-8", "ignore").strip(". ") or "picture"


def _unusable(path: Path, most_pixels: int) -> str:
    """Why the file `path` cannot be used as a picture; empty if it can."""
    size = _header(path, lambda picture: picture.size)
    if size is None:
        return "not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)"
    return "too many pixels" if size[0] * size[1] > most_pixels else ""


def _suffix(path: Path) -> str:
    return str(SUFFIXES[str(_header(path, lambda picture: picture.format))])


def _header(path: Path, find: Callable[[Image.Image], Any]) -> Any:
    """What `find` returns about a picture that is not decoded; None if its header cannot be read."""
    try:
        with catch_warnings():
            simplefilter("ignore")
            with Image.open(path, formats=("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")) as picture:
                return find(picture)
    except OSError as error:
        if error.errno:  # of the disk, not of the picture
            raise
        return None
    except Exception:  # a decoder may raise any exception for a damaged header
        return None


def _is_zip(file: IO[bytes]) -> bool:
    if not file.seekable():
        return False
    head = file.read(4)
    file.seek(0)
    return head in (b"PK\x03\x04", b"PK\x05\x06")


def _check_directory(name: str, file: IO[bytes], limits: UploadLimits) -> None:
    """Refuse a zip with too long a list of files before Python reads that into memory."""
    found = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # nothing public tells it before reading the list
    file.seek(0)
    if found is None:
        raise zipfile.BadZipFile("its end is missing")
    if found[zipfile._ECD_SIZE] > limits.directory or found[zipfile._ECD_ENTRIES_TOTAL] > limits.files:  # type: ignore[attr-defined]  # as above
        raise UserError(f"{_quoted(name)} has too many files; an upload may have {limits.files:,}")


def _length(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []


def _delete_stale(folder: Path) -> None:
    for path in folder.glob(f"{WORK}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path)


def _quoted(name: str) -> str:
    return f"'{to_plain_line(name, 200)}'"
