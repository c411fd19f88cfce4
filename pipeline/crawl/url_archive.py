"""The URL archive: the outcome of every requested URL of a dataset, and which source and query found it, in SQLite.

Rows are committed a moment after they are known, many at a time, so that a killed crawl asks again for what it fetched
in that moment, and for nothing else. The database is in WAL mode: a killed process leaves complete rows, and two crawls
may write at the same time.
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
from pipeline.text import to_plain_line

BUSY_TIMEOUT = 30.0  # seconds to wait while another process writes
BATCH_SECONDS, BATCH_ROWS = 0.2, 500  # for which, and of which, rows wait to be committed together
COLUMNS = [field.name for field in dataclasses.fields(Outcome)]

_CREATE_URLS = f"CREATE TABLE IF NOT EXISTS urls (url TEXT PRIMARY KEY, {', '.join(COLUMNS)}) WITHOUT ROWID"
_READ_URL = f"SELECT {', '.join(COLUMNS)} FROM urls WHERE url = ?"
# A saved picture stays saved, even if a concurrent crawl failed to fetch it.
_WRITE_URL = f"""
    INSERT INTO urls (url, {", ".join(COLUMNS)}) VALUES (?{", ?" * len(COLUMNS)})
    ON CONFLICT (url) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    WHERE excluded.outcome = 'saved' OR urls.outcome != 'saved'
"""

FIND_COLUMNS = ("page", "title", "license", "creator")  # what the page says about a picture
_CREATE_FINDS = f"""
    CREATE TABLE IF NOT EXISTS finds (engine TEXT, topic TEXT, url TEXT, rank INTEGER, within INTEGER,
    {", ".join(FIND_COLUMNS)}, PRIMARY KEY (engine, topic, url)) WITHOUT ROWID
"""
_WRITE_FIND = f"""
    INSERT INTO finds VALUES (?, ?, ?, ?, ?{", ?" * len(FIND_COLUMNS)})
    ON CONFLICT (engine, topic, url) DO UPDATE SET rank = excluded.rank, within = min(within, excluded.within),
    {", ".join(f"{name} = excluded.{name}" for name in FIND_COLUMNS)}
"""
# Only URLs with an outcome: a killed crawl may have found more than it requested.
_READ_FINDS = f"""
    SELECT url, rank, {", ".join(FIND_COLUMNS)} FROM finds WHERE engine = ? AND topic = ? AND within <= ?
    AND url IN (SELECT url FROM urls) ORDER BY rank, url
"""


# Errors for values that sqlite3 cannot store: integers over 64 bits, lone surrogates, other types, gigabytes of text
_UNWRITABLE_VALUES = (
    OverflowError,
    UnicodeError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


REMEDY = "remove it and its -wal and -shm files; the next crawl requests its URLs again"
# Parts of SQLite's messages about the disk, and what to do; every other error means that the file is damaged
_DISK_REMEDIES = {
    "disk is full": "free some space",
    "disk i/o error": "free some space, and check the disk",
    "readonly database": "make the disk writable, or choose another folder",
    "unable to open": "make the folder writable, or choose another folder",
    "permission denied": "give this user the right to read and write there",
    "is locked": "another program uses it: end that program, or wait for it",
    "out of memory": "close other programs",
}
RECORDED_OUTCOMES = ("saved", "rejected", "failed")


class UnwritableRow(ValueError):
    """SQLite cannot store the values of a row; only this row is lost."""


@dataclass(frozen=True, kw_only=True)
class ArchivedFind:
    """A picture that an earlier crawl found, and its rank in that crawl."""

    candidate: Candidate
    rank: int


class UrlArchive:
    """The outcomes of all crawls of a dataset by URL, and the sources that found them. Thread-safe.

    Raises:
        DamagedState: the file is not such a database.
        sqlite3.OperationalError: the disk refuses to write.
        UnwritableRow: SQLite cannot store the values of a row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, tuple[Any, ...]]] = []  # statements and their values
        self._waiting_urls: set[str] = set()
        self._waits_until = 0.0
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        self._connection.text_factory = self._decode_text
        try:
            self._enable_wal()
            self._execute("PRAGMA synchronous = NORMAL")  # safe if killed; a power failure may lose the last rows
            self._execute(_CREATE_URLS)
            self._execute(_CREATE_FINDS)
        except BaseException:
            self.close()
            raise

    def get(self, url: str) -> Outcome | None:
        """The outcome of `url` in this or an earlier crawl; None if there is none or the row is invalid, so that it is
        requested.
        """
        with self._lock:
            if url in self._waiting_urls:
                self._commit()
            row = self._execute(_READ_URL, url).fetchone()
        if row is None:
            return None
        known = dict(zip(COLUMNS, row, strict=True))
        known["passing"] = bool(known["passing"])  # SQLite has no booleans
        return Outcome(**known) if _is_valid(known) else None

    def put(self, url: str, outcome: Outcome) -> None:
        """Commit the outcome of `url`, soon."""
        with self._lock:
            self._waiting_urls.add(url)
            self._write_soon(_WRITE_URL, url, *(getattr(outcome, name) for name in COLUMNS))

    def put_find(self, entry: Entry, limit: int) -> None:
        """Commit that a crawl with this `limit` found `entry`, soon."""
        candidate, source = entry.candidate, entry.source
        texts = [getattr(candidate, name) for name in FIND_COLUMNS]
        with self._lock:
            self._write_soon(_WRITE_FIND, source.engine, source.topic, candidate.url, entry.rank, limit, *texts)

    def flush(self, *, all_rows: bool = True) -> None:
        """Commit the rows that wait; without `all_rows`, only if they have waited long enough."""
        with self._lock:
            if all_rows or time.monotonic() >= self._waits_until:
                self._commit()

    def finds(self, source: Source, limit: int) -> list[ArchivedFind]:
        """The pictures with an outcome that crawls of `source` with this or a lower limit found, by rank."""
        with self._lock:
            self._commit()
            rows = self._execute(_READ_FINDS, source.engine, source.topic, limit).fetchall()
        return [
            ArchivedFind(
                candidate=Candidate(url=url, fetch_url=url, **dict(zip(FIND_COLUMNS, texts, strict=True))), rank=rank
            )
            for url, rank, *texts in rows
        ]

    def close(self) -> None:
        """Commit what waits, and close the database."""
        with self._lock:
            try:
                self._commit()
            finally:
                self._connection.close()

    def _write_soon(self, statement: str, *values: Any) -> None:
        """Commit a row with others; `UnwritableRow` now if it cannot be written."""
        self._execute(f"SELECT ?{', ?' * (len(values) - 1)}", *values)
        if not self._waiting:
            self._waits_until = time.monotonic() + BATCH_SECONDS
        self._waiting.append((statement, values))
        if len(self._waiting) >= BATCH_ROWS:
            self._commit()

    def _commit(self) -> None:
        """Write the rows that wait, in one transaction, which is short so that other crawls can write too."""
        if not self._waiting:
            return
        self._execute("BEGIN IMMEDIATE")
        try:
            for statement, values in self._waiting:
                self._execute(statement, *values)
        except BaseException:
            self._connection.rollback()
            raise
        self._execute("COMMIT")
        self._waiting.clear()
        self._waiting_urls.clear()

    def _enable_wal(self) -> None:
        """Switch to WAL mode. SQLite's busy timeout does not apply to this statement, so retry here."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except _UNWRITABLE_VALUES as error:
            raise UnwritableRow(f"{type(error).__name__}: {error}") from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and remedy(error):
                raise  # the disk, for example full: the file is not damaged
            raise self._damaged_state(str(error)) from error

    def _decode_text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._damaged_state("it contains text that is not UTF-8") from None

    def _damaged_state(self, problem: str) -> DamagedState:
        return DamagedState(f"{self.path}: {to_plain_line(problem, 200)}; {REMEDY}")


def remedy(error: sqlite3.OperationalError) -> str:
    """What to do about an error of the disk; empty if the error means that the file is damaged."""
    message = str(error).lower()
    return next((advice for beginning, advice in _DISK_REMEDIES.items() if beginning in message), "")


def _is_valid(row: dict[str, Any]) -> bool:
    """Whether a row has the types of an `Outcome`, and a valid id and type if a picture is saved."""
    texts = (row[name] for name in ("outcome", "reason", "time"))
    numbers = (row[name] for name in ("status", "bytes", "width", "height"))
    right = all(isinstance(text, str) for text in texts) and all(isinstance(each, int | None) for each in numbers)
    named = row["type"] in EXTENSIONS and is_digest(row["id"])
    return right and row["outcome"] in RECORDED_OUTCOMES and (named or row["outcome"] != "saved")
