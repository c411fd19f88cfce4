"""The digest of a folder's content, remembered: a file is read again only if it may have changed.

A file is taken for unchanged if its size, its times of modification and of change, and its inode are what they were
when it was read, as Git does (https://git-scm.com/docs/racy-git). What was read is remembered in the folder of the
dataset; without it, or if it cannot be read or written, every file is read. A folder may have a million files: they are
looked at one by one, and compared and sorted on the disk if any has changed.
"""

import hashlib
import json
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
READ_TOGETHER = 500  # files between two changes of a table

_CREATE = """
    CREATE TABLE IF NOT EXISTS files (root BLOB, path BLOB, stamp TEXT, sha256 TEXT, PRIMARY KEY (root, path))
    WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS folders (root BLOB PRIMARY KEY, stamp TEXT, digest TEXT) WITHOUT ROWID;
"""
# The files as they are now
_CREATE_FOUND = (
    "CREATE TEMP TABLE found (number INTEGER PRIMARY KEY, path BLOB, stamp TEXT, changed INTEGER, sha256 TEXT)"
)
_RECALL = """
    UPDATE found SET sha256 =
    (SELECT sha256 FROM files WHERE root = ? AND path = found.path AND stamp = found.stamp)
"""
_REMEMBER = "INSERT INTO files SELECT ?, path, stamp, sha256 FROM found WHERE changed < ?"

# A file below a folder: its path there with forward slashes; its bytes, the times of its last modification and of the
# last change of it or of what the system knows about it (nanoseconds since 1970), and its inode
Entry: TypeAlias = tuple[str, int, int, int, int]


def digest_folder(root: Path, dataset: Path) -> str:
    """The digest of the names and contents of all files below `root`, for the dataset in the folder `dataset`.

    `root` may also be one file, whose name does not count.
    """
    if dataset.is_dir():  # else nothing ran yet, and a plan makes no folders
        with suppress(sqlite3.Error):
            return _digest_in(str(dataset / CACHE), root)
    with suppress(sqlite3.Error):
        return _digest_in("", root)  # a temporary file
    return _digest_in(":memory:", root)


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


def _digest_in(place: str, root: Path) -> str:
    """The digest, from what the database at `place` knows, if no file has changed; else it knows more then."""
    with closing(sqlite3.connect(place, timeout=TIMEOUT, isolation_level=None)) as database:
        database.executescript(_CREATE)
        stamp = _Stamp()
        for entry in list_entries(root):
            stamp.add(entry)
        known = "SELECT digest FROM folders WHERE root = ? AND stamp = ?"
        if row := database.execute(known, (os.fsencode(root), stamp.text())).fetchone():
            return str(row[0])
        return _digest_again(database, root)


class _Stamp:
    """A digest of entries in the order in which the system lists them, which it keeps while none changes."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32)

    def add(self, entry: Entry) -> None:
        self._hash.update(marshal.dumps(entry, 2))  # 2: a format in which equal tuples are equal bytes

    def text(self) -> str:
        return self._hash.hexdigest()


def _digest_again(database: sqlite3.Connection, root: Path) -> str:
    """The digest after a change, which the database knows from now on: the files that it does not know are read."""
    key, settled = os.fsencode(root), time.time_ns() - SETTLED  # as it is before the files are read
    stamp = _fill_found(database, root)
    database.execute(_RECALL, (key,))
    _read_unknown(database, root)
    database.create_function("as_json", 2, _as_json, deterministic=True)
    texts = database.execute("SELECT as_json(path, sha256) AS text FROM found ORDER BY text")
    result = digest.of_json_texts(text for (text,) in texts)
    with suppress(sqlite3.Error):  # another process writes: the next run reads the files again
        _remember(database, key, settled, (stamp, result))
    return result


def _fill_found(database: sqlite3.Connection, root: Path) -> str:
    """Fill the table `found` with the files below `root`; returns their stamp."""
    stamp = _Stamp()

    def rows() -> Iterator[tuple[bytes, str, int]]:
        for entry in list_entries(root):
            stamp.add(entry)
            path, *facts = entry
            yield os.fsencode(path), " ".join(map(str, facts)), max(entry[2], entry[3])

    database.execute(_CREATE_FOUND)
    database.execute("BEGIN")
    database.executemany("INSERT INTO found (path, stamp, changed) VALUES (?, ?, ?)", rows())
    database.execute("COMMIT")
    return stamp.text()


def _read_unknown(database: sqlite3.Connection, root: Path) -> None:
    """Read the files whose SHA-256 is not known."""
    unknown = "SELECT number, path FROM found WHERE sha256 IS NULL AND number > ? ORDER BY number LIMIT ?"
    last = 0
    while found := database.execute(unknown, (last, READ_TOGETHER)).fetchall():
        last = found[-1][0]
        read = [(digest.of_file(root / os.fsdecode(path)), number) for number, path in found]
        database.executemany("UPDATE found SET sha256 = ? WHERE number = ?", read)


def _remember(database: sqlite3.Connection, key: bytes, settled: int, whole: tuple[str, str]) -> None:
    """Keep what was read; `whole` is the stamp of the folder and its digest."""
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM files WHERE root = ?", (key,))
    certain = database.execute(_REMEMBER, (key, settled)).rowcount
    if certain == database.execute("SELECT COUNT(*) FROM found").fetchone()[0]:
        database.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (key, *whole))
    database.execute("COMMIT")


def _as_json(path: bytes, sha256: str) -> str:
    return json.dumps([os.fsdecode(path), sha256])
