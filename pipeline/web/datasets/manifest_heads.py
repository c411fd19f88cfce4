"""What manifests say without their lists of files, which have a line for each square: light enough for a card.

Nothing here checks the files of an artifact; `ArtifactStore.latest` does, with a look at each of them.
"""

import json
import os
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.store.artifacts import ArtifactStore
from pipeline.store.manifest import NAME

SMALL = 1 << 18  # bytes of a manifest that is read as it is
TAIL = 1 << 16  # bytes at the end of a larger one, in which what follows the list of files must be
MAX_KEPT = 2000  # manifests: forty datasets have some hundred
FILES, AFTER_FILES = b'\n "files": {', b'\n },\n "run": '  # as `manifest.write` writes them
ROWS = re.compile(rb'"images\.jsonl": \[\s*(\d{1,15})')  # the rows of squares, and their bytes


@dataclass(frozen=True, kw_only=True)
class ManifestHead:
    """The part of a manifest that a card shows; `rows` is the size of images.jsonl in bytes, None without one."""

    folder: Path
    stage: str
    version: int  # of the stage that made it
    key: str
    options: dict[str, Any]
    summary: dict[str, Any]
    outputs: dict[str, Any]
    created: str
    unfinished: str
    rows: int | None
    seconds: float = 0.0  # that it took to make

    def number(self, name: str) -> int | None:
        """A whole number of the summary; None if it is not there."""
        found = self.summary.get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def is_cut_short(self) -> bool:
        """Whether images.jsonl is missing or has another size than was written."""
        try:
            return self.rows is not None and (self.folder / "images.jsonl").stat().st_size != self.rows
        except OSError:
            return True


_kept: OrderedDict[tuple[Path, int, int], ManifestHead | None] = OrderedDict()
_lock = threading.Lock()


def latest_head(store: ArtifactStore) -> ManifestHead | None:
    """The artifact that the last run used; None if there is none or its manifest cannot be read."""
    name = store.latest_name()
    return head_of(store.root / name) if name else None


def head_of(folder: Path) -> ManifestHead | None:
    """What the manifest of `folder` says; None if it is missing or cannot be read. Read once for each change."""
    path = folder / NAME
    try:
        stat = path.stat()
        known = path, stat.st_mtime_ns, stat.st_size
        with _lock:
            if known in _kept:
                _kept.move_to_end(known)
                return _kept[known]
        found = _read(path, stat.st_size)
    except OSError:
        return None
    with _lock:
        _kept[known] = found
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return found


def _read(path: Path, size: int) -> ManifestHead | None:
    with path.open("rb") as file:
        data = file.read()
    rows = ROWS.search(data)
    try:
        body = json.loads(data if size <= SMALL else _without_files(data))
        return ManifestHead(
            folder=path.parent,
            rows=int(rows[1]) if rows else None,
            **{name: _of_kind(body[name], dict) for name in ("options", "summary", "outputs")},
            **{name: _of_kind(body[name], str) for name in ("stage", "key", "created", "unfinished")},
            version=_of_kind(body["version"], int),
            seconds=float(_of_kind(body.get("seconds", 0.0), int | float)),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _without_files(data: bytes) -> bytes:
    """The text of a manifest with an empty list of files; as it is if it does not have the usual form."""
    begin, end = data.find(FILES), data.rfind(AFTER_FILES, max(0, len(data) - TAIL))
    return data if begin < 0 or end < begin else data[: begin + len(FILES)] + data[end + 2 :]


def _of_kind(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def stamp(*paths: Path) -> tuple[tuple[int, int], ...]:
    """Modification time in nanoseconds and size of each path, zeros for one that is not there."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
