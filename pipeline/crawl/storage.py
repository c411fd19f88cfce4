"""Store every fetched picture once, named by the SHA-256 of its bytes: icrawler's storage with atomic writes."""

import hashlib
import itertools
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from icrawler.storage import BaseStorage

from pipeline.store import digest

STALE_AFTER = 3600.0  # seconds after which an unfinished file cannot belong to a running crawl
HEAD_BYTES = 1 << 16  # enough to read the type and size of nearly every picture
MEMORY_BYTES = 1 << 18  # of a body, kept in memory: most pictures are shorter
BINARY = getattr(os, "O_BINARY", 0)  # on Windows


class StorageError(OSError):
    """The disk refused to store a picture; the server is not at fault."""


class TempFile:
    """A response body: in memory while it is as short as most pictures are, else in a temporary file, so that memory
    stays constant for any number of parallel downloads.

    `sha256` (hex), `bytes` (their number) and `head` (the first of them) describe what was written so far.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.bytes = 0
        self._memory = b""
        self._hash = hashlib.sha256()
        self._is_on_disk = False

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return self._memory[:HEAD_BYTES]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes written so far, in hex."""
        return self._hash.hexdigest()

    def open(self) -> BinaryIO:
        """All that was written, to be read."""
        return open(self.path, "rb") if self._is_on_disk else BytesIO(self._memory)

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write `chunks` as they arrive.

        Raises:
            StorageError: the disk refused.
            Exception: what `chunks` raises.
        """
        waiting = chunks if iter(chunks) is chunks else iter(chunks)
        first, length = [], 0
        for chunk in waiting:
            first.append(chunk)
            length += len(chunk)
            if length > MEMORY_BYTES:
                break
        # Each step of a digest and each call of the system lets other threads in, so few large ones are faster
        self._memory = b"".join(first)
        self._count(self._memory)
        if length > MEMORY_BYTES:
            with self._file() as descriptor:
                _write(descriptor, self._memory)
                for chunk in waiting:  # the connection may raise an OSError too
                    self._count(chunk)
                    _write(descriptor, chunk)
            self._memory = self.head

    def move(self, target: str) -> None:
        """Give the file its final name, atomically."""
        if not self._is_on_disk:
            with self._file() as descriptor:
                _write(descriptor, self._memory)
        with _storage_errors():
            try:
                os.replace(self.path, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.replace(self.path, target)
        self._is_on_disk = False

    def discard(self) -> None:
        """Delete the file, if there is one."""
        if self._is_on_disk:
            self._is_on_disk = False
            with suppress(FileNotFoundError):
                os.unlink(self.path)

    def _count(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.bytes += len(chunk)

    @contextmanager
    def _file(self) -> Iterator[int]:
        """The descriptor of the new, empty file."""
        with _storage_errors():
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o666)
        self._is_on_disk = True
        try:
            yield descriptor
        finally:
            with _storage_errors():
                os.close(descriptor)


class PictureStorage(BaseStorage):
    """Picture files at `<root>/<first two digits>/<id>.<extension>`. `id` in icrawler's methods is the file name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        self._draft = os.path.join(self._unfinished, uuid.uuid4().hex)  # the beginning of the name of each
        self._numbers = itertools.count()
        self._remove_stale()

    def path(self, name: str) -> str:
        """The path of the picture with this file name, whether it exists or not."""
        return os.path.join(self.root, name[:2], name)

    def receive(self, chunks: Iterable[bytes]) -> TempFile:
        """Write a body to a temporary file, to be committed or discarded later. If `chunks` raises, the file is
        deleted.
        """
        temp_file = TempFile(f"{self._draft}-{next(self._numbers)}")
        try:
            temp_file.write(chunks)
        except BaseException:
            temp_file.discard()
            raise
        return temp_file

    def commit(self, temp_file: TempFile, name: str) -> None:
        """Move `temp_file` to its final name, atomically; discard it if an undamaged copy exists already."""
        if self.exists(name):
            temp_file.discard()
        else:
            temp_file.move(self.path(name))

    def write(self, id: str, data: bytes) -> None:
        """Store `data` under the name `id`, as icrawler's interface requires."""
        self.commit(self.receive([data]), id)

    def exists(self, id: str) -> bool:
        """Whether the picture exists and its SHA-256 is the one in its name."""
        path = self.path(id)
        return os.path.isfile(path) and digest.of_file(Path(path)) == id.partition(".")[0]

    def _remove_stale(self) -> None:
        """Delete temporary files of killed crawls."""
        for path in self._unfinished.iterdir():
            with suppress(FileNotFoundError):  # a concurrent crawl may commit its own file
                if time.time() - path.stat().st_mtime > STALE_AFTER:
                    path.unlink()


def _write(descriptor: int, data: bytes) -> None:
    """Write all of `data`."""
    rest = memoryview(data)
    with _storage_errors():
        while rest:
            rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Convert an OSError of the disk to `StorageError`; the connection may raise OSError too."""
    try:
        yield
    except OSError as error:
        raise StorageError(*error.args) from error
