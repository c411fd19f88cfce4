"""Store every fetched picture once, under the SHA-256 of its bytes: icrawler's storage, made atomic."""

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from icrawler.storage import BaseStorage

from pipeline.store import digest

FORGOTTEN = 3600.0  # seconds after which an unfinished file belongs to no crawl that is still alive
HEAD = 1 << 16  # bytes kept in memory: they tell the kind of nearly every picture, and its size


class Unwritable(OSError):
    """The disk would not take a picture: no fault of the server that sent it."""


class TempFile:
    """A body on the disk under a passing name, so that memory stays flat however many come at once.

    `sha256` (hex), `bytes` and `head`, the first of them, are of what was written so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.head = b""
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of all that was written."""
        return self._hash.hexdigest()

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Write `pieces` as they come; raises what they raise, and `Unwritable`."""
        with _disk():
            file = self.path.open("wb")
        with file:
            for piece in pieces:
                with _disk():
                    file.write(piece)
                self._hash.update(piece)
                self.bytes += len(piece)
                self.head += piece[: HEAD - len(self.head)]
            with _disk():
                file.flush()

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


@contextmanager
def _disk() -> Iterator[None]:
    """Tell errors of the disk from those of the body, which may be of the same kind."""
    try:
        yield
    except OSError as error:
        raise Unwritable(*error.args) from error


class PictureStorage(BaseStorage):
    """`<root>/<first two of the id>/<id>.<extension>`; an `id` of icrawler's methods is such a file's name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def path(self, name: str) -> Path:
        """Where the picture called `name` is or would be."""
        return self.root / name[:2] / name

    def receive(self, pieces: Iterable[bytes]) -> TempFile:
        """Take in a body; it is kept or discarded later. Nothing stays when `pieces` raise."""
        draft = TempFile(self._unfinished / uuid.uuid4().hex)
        try:
            draft.fill(pieces)
        except BaseException:
            draft.discard()
            raise
        return draft

    def keep(self, draft: TempFile, name: str) -> None:
        """Make `draft` the picture called `name`, unless a whole copy is there; a reader sees all of it or nothing."""
        if self.exists(name):
            draft.discard()
            return
        with _disk():
            try:
                os.replace(draft.path, self.path(name))
            except FileNotFoundError:
                self.path(name).parent.mkdir(exist_ok=True)
                os.replace(draft.path, self.path(name))

    def write(self, id: str, data: bytes) -> None:
        """Store `data` under the name `id`, as icrawler's own downloader would."""
        self.keep(self.receive([data]), id)

    def exists(self, id: str) -> bool:
        """Whether the picture is there and its bytes are still those that its name promises."""
        path = self.path(id)
        return path.is_file() and digest.of_file(path) == path.stem

    def _sweep(self) -> None:
        """Remove what killed crawls left half written."""
        for path in self._unfinished.iterdir():
            with suppress(FileNotFoundError):  # another crawl finishes its own meanwhile
                if time.time() - path.stat().st_mtime > FORGOTTEN:
                    path.unlink()
