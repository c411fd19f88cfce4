"""Store every fetched picture once, named by the SHA-256 of its bytes: icrawler's storage with atomic writes."""

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from icrawler.storage import BaseStorage

from pipeline.store import digest

STALE_AFTER = 3600.0  # seconds after which an unfinished file cannot belong to a running crawl
HEAD_BYTES = 1 << 16  # kept in memory, enough to read the type and size of nearly every picture


class StorageError(OSError):
    """The disk refused to store a picture; the server is not at fault."""


class TempFile:
    """A response body in a temporary file, so that memory stays constant for any number of parallel downloads.

    `sha256` (hex), `bytes` (their number) and `head` (the first of them) describe what was written so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.head = b""
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes written so far, in hex."""
        return self._hash.hexdigest()

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write `chunks` as they arrive.

        Raises:
            StorageError: the disk refused.
            Exception: what `chunks` raises.
        """
        with _storage_errors():
            file = self.path.open("wb")
        with file:
            for chunk in chunks:
                with _storage_errors():
                    file.write(chunk)
                self._hash.update(chunk)
                self.bytes += len(chunk)
                self.head += chunk[: HEAD_BYTES - len(self.head)]
            with _storage_errors():
                file.flush()

    def discard(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


class PictureStorage(BaseStorage):
    """Picture files at `<root>/<first two digits>/<id>.<extension>`. `id` in icrawler's methods is the file name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        self._remove_stale()

    def path(self, name: str) -> Path:
        """The path of the picture with this file name, whether it exists or not."""
        return self.root / name[:2] / name

    def receive(self, chunks: Iterable[bytes]) -> TempFile:
        """Write a body to a temporary file, to be committed or discarded later. If `chunks` raises, the file is
        deleted.
        """
        temp_file = TempFile(self._unfinished / uuid.uuid4().hex)
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
            return
        with _storage_errors():
            try:
                os.replace(temp_file.path, self.path(name))
            except FileNotFoundError:
                self.path(name).parent.mkdir(exist_ok=True)
                os.replace(temp_file.path, self.path(name))

    def write(self, id: str, data: bytes) -> None:
        """Store `data` under the name `id`, as icrawler's interface requires."""
        self.commit(self.receive([data]), id)

    def exists(self, id: str) -> bool:
        """Whether the picture exists and its SHA-256 is the one in its name."""
        path = self.path(id)
        return path.is_file() and digest.of_file(path) == path.stem

    def _remove_stale(self) -> None:
        """Delete temporary files of killed crawls."""
        for path in self._unfinished.iterdir():
            with suppress(FileNotFoundError):  # a concurrent crawl may commit its own file
                if time.time() - path.stat().st_mtime > STALE_AFTER:
                    path.unlink()


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Convert an OSError of the disk to `StorageError`; the connection may raise OSError too."""
    try:
        yield
    except OSError as error:
        raise StorageError(*error.args) from error
