"""The digest of a folder's content, remembered: a file is read again only if it may have changed.

A file is taken for unchanged if its size, its times of modification and of change, and its inode are what they were
when it was read, as Git does (https://git-scm.com/docs/racy-git). What was read is remembered in the folder of the
dataset; without it, or if it cannot be read or written, every file is read.
"""

import hashlib
import marshal
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

from pipeline.store import digest

CACHE = "folder-digests.sqlite"
SETTLED = 2 * 10**9  # nanoseconds for which two changes of a file may have the same time
TIMEOUT = 10.0  # seconds to wait while another process writes

_CREATE = """
    CREATE TABLE IF NOT EXISTS files (root BLOB, path BLOB, stamp TEXT, sha256 TEXT, PRIMARY KEY (root, path))
    WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS folders (root BLOB PRIMARY KEY, stamp TEXT, digest TEXT) WITHOUT ROWID;
"""


# A file below a folder: its path there with forward slashes; its bytes, the times of its last modification and of the
# last change of it or of what the system knows about it (nanoseconds since 1970), and its inode. There may be a million
Entry: TypeAlias = tuple[str, int, int, int, int]


def digest_folder(root: Path, dataset: Path) -> str:
    """The digest of the names and contents of all files below `root`, for the dataset in the folder `dataset`.

    `root` may also be one file, whose name does not count.
    """
    entries = sorted(list_entries(root))
    if not dataset.is_dir():  # nothing ran yet, and a plan makes no folders
        return _digest([(entry, _read(root, entry)) for entry in entries])
    try:
        with closing(sqlite3.connect(dataset / CACHE, timeout=TIMEOUT)) as cache, cache:
            cache.executescript(_CREATE)
            return _digest_with(cache, root, entries)
    except sqlite3.Error:
        return _digest([(entry, _read(root, entry)) for entry in entries])


def list_entries(root: Path) -> Iterator[Entry]:
    """Every file below `root`, in any order; of a file that file. A folder that is a symbolic link is not entered."""
    if root.is_file():
        yield _entry("", root.stat())
        return
    waiting = [(str(root), "")]
    while waiting:
        folder, prefix = waiting.pop()
        with suppress(PermissionError), os.scandir(folder) as found:
            for each in found:
                if each.is_dir(follow_symlinks=False):
                    waiting.append((each.path, f"{prefix}{each.name}/"))
                    continue
                try:  # `suppress` would take as long as all the rest
                    if each.is_file():
                        yield _entry(prefix + each.name, each.stat())
                except OSError:  # deleted meanwhile, or a link that leads nowhere
                    continue


def _entry(path: str, stat: os.stat_result) -> Entry:
    return path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _digest_with(cache: sqlite3.Connection, root: Path, entries: list[Entry]) -> str:
    """The digest, from what `cache` knows and the files that it does not know, which it knows then."""
    key = os.fsencode(root)
    stamp = hashlib.sha256(marshal.dumps(entries, 2)).hexdigest()  # 2: a format in which equal lists are equal bytes
    if row := cache.execute("SELECT digest FROM folders WHERE root = ? AND stamp = ?", (key, stamp)).fetchone():
        return str(row[0])
    rows = cache.execute("SELECT path, stamp, sha256 FROM files WHERE root = ?", (key,))
    known = {(path, stamp): sha256 for path, stamp, sha256 in rows}
    settled = time.time_ns() - SETTLED  # as it is before the files are read
    found = [(entry, known.get(_stamped(entry)) or _read(root, entry)) for entry in entries]
    result = _digest(found)
    certain = [(entry, sha256) for entry, sha256 in found if max(entry[2], entry[3]) < settled]
    cache.execute("DELETE FROM files WHERE root = ?", (key,))
    cache.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?)", ((key, *_stamped(entry), sha256) for entry, sha256 in certain)
    )
    if len(certain) == len(found):
        cache.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (key, stamp, result))
    return result


def _stamped(entry: Entry) -> tuple[bytes, str]:
    """The path, and what changes when the file does."""
    path, *facts = entry
    return os.fsencode(path), " ".join(map(str, facts))


def _digest(found: list[tuple[Entry, str]]) -> str:
    return digest.of_set([path, sha256] for (path, *_), sha256 in found)


def _read(root: Path, entry: Entry) -> str:
    return digest.of_file(root / entry[0])
