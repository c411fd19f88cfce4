"""The archive of addresses: one row a URL, committed when its outcome is known, so that a kill loses nothing, and one
row for each source and query that found it.

SQLite in WAL mode: a killed process leaves whole rows, and two crawls may write at once.
"""

import dataclasses
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.crawl.frontier import Entry
from pipeline.crawl.image_type import EXTENSIONS
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.sources.base import Source
from pipeline.errors import DamagedState
from pipeline.store.digest import is_digest
from pipeline.text import plain

PATIENCE = 30.0  # seconds to wait while another crawl writes
COLUMNS = [field.name for field in dataclasses.fields(Outcome)]

_CREATE = f"CREATE TABLE IF NOT EXISTS urls (url TEXT PRIMARY KEY, {', '.join(COLUMNS)}) WITHOUT ROWID"
_READ = f"SELECT {', '.join(COLUMNS)} FROM urls WHERE url = ?"
# A picture once saved stays so, even if another crawl at the same time did not get it.
_WRITE = f"""
    INSERT INTO urls (url, {", ".join(COLUMNS)}) VALUES (?{", ?" * len(COLUMNS)})
    ON CONFLICT (url) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    WHERE excluded.outcome = 'saved' OR urls.outcome != 'saved'
"""

FOUND = ("page", "title", "license", "creator")  # what the page said of a picture
_CREATE_FINDS = f"""
    CREATE TABLE IF NOT EXISTS finds (engine TEXT, topic TEXT, url TEXT, rank INTEGER, within INTEGER,
    {", ".join(FOUND)}, PRIMARY KEY (engine, topic, url)) WITHOUT ROWID
"""
_FOUND = f"""
    INSERT INTO finds VALUES (?, ?, ?, ?, ?{", ?" * len(FOUND)})
    ON CONFLICT (engine, topic, url) DO UPDATE SET rank = excluded.rank, within = min(within, excluded.within),
    {", ".join(f"{name} = excluded.{name}" for name in FOUND)}
"""
# Only what was asked for and answered: a crawl that was killed may have found more than it came to ask for.
_FINDS = f"""
    SELECT url, rank, {", ".join(FOUND)} FROM finds WHERE engine = ? AND topic = ? AND within <= ?
    AND url IN (SELECT url FROM urls) ORDER BY rank, url
"""


# Of values that sqlite3 cannot take: integers beyond 64 bits, halves of surrogate pairs, other types, gigabytes of text
_UNFIT = (
    OverflowError,
    UnicodeError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


WAY_OUT = "remove it and its -wal and -shm files: what it knew is fetched again"
# How SQLite begins to say that it is the disk, and what to do then; every other fault is one of the file
_REMEDIES = {
    "disk is full": "free some space",
    "disk i/o error": "free some space, and check the disk",
    "readonly database": "make the disk writable, or choose another place",
    "unable to open": "make the folder writable, or choose another place",
    "permission denied": "give this user the right to read and write there",
    "is locked": "another program holds it: end that one, or wait for it",
    "out of memory": "close other programs",
}
SETTLED = ("saved", "rejected", "failed")


class Unfit(ValueError):
    """A row that cannot be written, whatever the disk does: its values are at fault, and it alone is lost."""


@dataclass(frozen=True, kw_only=True)
class Find:
    """A picture that a crawl met, and its rank then."""

    candidate: Candidate
    rank: int


class UrlArchive:
    """The outcomes of all crawls of a dataset, by URL, and who found them. Threads may share it.

    Raises `DamagedState` if the file is no archive, sqlite3.OperationalError if it cannot be written, and `Unfit` for
    a row whose values it cannot take.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        self._connection.text_factory = self._text
        try:
            self._keep_log()
            self._execute("PRAGMA synchronous = NORMAL")  # safe against a kill; only power loss costs the last rows
            self._execute(_CREATE)
            self._execute(_CREATE_FINDS)
        except BaseException:
            self.close()
            raise

    def get(self, url: str) -> Outcome | None:
        """What became of `url` in this crawl or an earlier one; None if it was never settled, or the row says what no
        crawl writes: then it is asked for again."""
        with self._lock:
            row = self._execute(_READ, url).fetchone()
        if row is None:
            return None
        known = dict(zip(COLUMNS, row, strict=True))
        known["passing"] = bool(known["passing"])  # SQLite knows no booleans
        return Outcome(**known) if _is_whole(known) else None

    def put(self, url: str, outcome: Outcome) -> None:
        """Commit what became of `url`."""
        with self._lock:
            self._execute(_WRITE, url, *dataclasses.astuple(outcome))

    def found(self, entry: Entry, limit: int) -> None:
        """Commit that a crawl with this `limit` met `entry`."""
        candidate, source = entry.candidate, entry.source
        said = [getattr(candidate, name) for name in FOUND]
        with self._lock:
            self._execute(_FOUND, source.engine, source.topic, candidate.url, entry.rank, limit, *said)

    def finds(self, source: Source, limit: int) -> list[Find]:
        """What crawls of `source` with at most this `limit` have met and settled, by rank."""
        with self._lock:
            rows = self._execute(_FINDS, source.engine, source.topic, limit).fetchall()
        return [
            Find(candidate=Candidate(url=url, address=url, **dict(zip(FOUND, said, strict=True))), rank=rank)
            for url, rank, *said in rows
        ]

    def close(self) -> None:
        """Close the file; the write-ahead log goes into it when no other crawl has it open."""
        with self._lock:
            self._connection.close()

    def _keep_log(self) -> None:
        """Switch to WAL. SQLite does not wait for that while another crawl does the same, so wait here."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except _UNFIT as error:
            raise Unfit(f"{type(error).__name__}: {error}") from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and remedy(error):
                raise  # a disk that is full, say: no damage of the file
            raise self._damaged(str(error)) from error

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._damaged("it holds text that is not UTF-8") from None

    def _damaged(self, what: str) -> DamagedState:
        return DamagedState(f"{self.path}: {plain(what, 200)}; {WAY_OUT}")


def remedy(error: sqlite3.OperationalError) -> str:
    """What to do where the disk, and not the file, is at fault; empty where it is the file."""
    told = str(error).lower()
    return next((advice for sign, advice in _REMEDIES.items() if sign in told), "")


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether a row has the types that an outcome has, and names a picture if it says that there is one."""
    texts = (row[name] for name in ("outcome", "reason", "time"))
    numbers = (row[name] for name in ("status", "bytes", "width", "height"))
    right = all(isinstance(text, str) for text in texts) and all(isinstance(each, int | None) for each in numbers)
    named = row["type"] in EXTENSIONS and is_digest(row["id"])
    return right and row["outcome"] in SETTLED and (named or row["outcome"] != "saved")
