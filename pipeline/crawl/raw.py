"""The raw store: every picture once, under the SHA-256 of its bytes. icrawler's storage, made atomic."""

import os
import time
import uuid
from pathlib import Path

from icrawler.storage import BaseStorage

from pipeline.crawl.outcome import Outcome
from pipeline.store import digest

FORGOTTEN = 3600.0  # seconds after which an unfinished file belongs to no crawl that is still alive


class RawStore(BaseStorage):
    """`<root>/<first two of the id>/<id>.<extension>`; an `id` of icrawler's methods is such a file's name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def path(self, name: str) -> Path:
        """Where the picture called `name` is or would be."""
        return self.root / name[:2] / name

    def write(self, id: str, data: bytes) -> None:
        """Store `data` under the name `id`, replacing what was there; a reader sees all of it or nothing."""
        unfinished = self._unfinished / uuid.uuid4().hex
        unfinished.write_bytes(data)
        self.path(id).parent.mkdir(exist_ok=True)
        os.replace(unfinished, self.path(id))

    def exists(self, id: str) -> bool:
        """Whether the picture is there and its bytes are still those that its name promises."""
        path = self.path(id)
        return path.is_file() and digest.of_file(path) == path.stem

    def keep(self, outcome: Outcome, data: bytes) -> None:
        """Store the bytes of a saved picture, unless a whole copy is there."""
        if not self.exists(outcome.file):
            self.write(outcome.file, data)

    def _sweep(self) -> None:
        """Remove what killed crawls left half written."""
        for path in self._unfinished.iterdir():
            if time.time() - path.stat().st_mtime > FORGOTTEN:
                path.unlink(missing_ok=True)
