"""What was drawn, kept on the disk by content: the same question needs no drawing. The oldest are deleted beyond a
limit. The features of the reals that were measured last stay beside it, whatever their size, as they take minutes.
"""

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.store.digest import of_value

LIMIT = 256 << 20  # bytes for a dataset
OWN = re.compile(r"(draw|walk|tile|nearest|reals)-[0-9a-f]{32}(\.npy)?")  # nothing else is ever deleted
REALS = "reals-"  # begins the name of a folder with features of reals
DRAFT = ".draft-"
DRAFT_SECONDS = 3600.0  # after which a draft is that of a killed server


class DrawnCache:
    """The folder data/<dataset>/cache: a folder of files for each question."""

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._lock = threading.Lock()

    def name(self, kind: str, question: Any) -> str:
        """The name of the answer to a question, JSON."""
        return f"{kind}-{of_value(question)[:32]}"

    def find(self, name: str) -> Path | None:
        """The folder called `name`; None if there is none. It counts as used now."""
        path = self.folder / name
        if not OWN.fullmatch(name) or not path.exists():
            return None
        with suppress(OSError):
            os.utime(path)
        return path

    def made(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder called `name`; if there is none `make` fills it. Another thread may make it at the same time."""
        if found := self.find(name):
            return found
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.folder))
        try:
            make(draft)
            with suppress(OSError):  # another thread was faster
                os.rename(draft, self.folder / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self.trim(keep=name)
        return self.folder / name

    def trim(self, *, keep: str = "") -> None:
        """Delete what was used longest ago, beyond the limit; `keep` and the newest features of reals stay."""
        with self._lock:
            entries = sorted(self._entries(), reverse=True)
            measured = next((entry for entry in entries if entry[2].name.startswith(REALS)), None)
            total = 0
            for _, size, path in (entry for entry in entries if entry != measured):
                total += size
                if total > self.limit and path.name != keep:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of the last use, bytes and path of each answer; drafts of killed servers are deleted."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(OSError):
                used = path.stat().st_mtime
                if path.name.startswith(DRAFT) and time.time() - used > DRAFT_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
                elif OWN.fullmatch(path.name):
                    files = [*path.iterdir()] if path.is_dir() else [path]
                    found.append((used, sum(file.stat().st_size for file in files), path))
        return found
