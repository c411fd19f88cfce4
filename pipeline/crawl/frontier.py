"""The frontier: every URL of a crawl with its rank, what its page says and its outcome, in a database on the disk.

Memory holds no URL, whether there are ten or a million. Only this module enforces the limit of a crawl. The database
belongs to one crawl, whose process alone uses it, and is deleted at its end: what a later crawl needs is in the URL
archive. So it has no journal, and one transaction that is never committed.
"""

import dataclasses
import hashlib
import sqlite3
import threading
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.sources.base import Source
from pipeline.crawl.url import authority

CACHE_KIB = 32 << 10  # of database pages in memory
KNOWN_HOSTS = 1000  # in memory
LEFT_OUT_TOGETHER = 500  # candidates beyond the limit that are counted in one step
LOCAL = 0  # the lane of what this process does itself; worker processes have the lanes from 1
CANDIDATE_FIELDS = [field.name for field in dataclasses.fields(Candidate) if field.name not in ("url", "fetch_url")]
OUTCOME_FIELDS = [field.name for field in dataclasses.fields(Outcome)]

_CREATE = f"""
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};
    PRAGMA locking_mode = EXCLUSIVE; BEGIN;
    CREATE TABLE entries (number INTEGER PRIMARY KEY, digest BLOB UNIQUE, host INTEGER, source INTEGER, rank, archived,
    url TEXT, fetch_url BLOB, {", ".join(CANDIDATE_FIELDS)});
    CREATE INDEX entries_of_host ON entries (host, number);
    CREATE TABLE outcomes (number INTEGER PRIMARY KEY, {", ".join(OUTCOME_FIELDS)});
    CREATE INDEX saved_by_id ON outcomes (id, number) WHERE outcome = 'saved';
    CREATE TABLE hosts (number INTEGER PRIMARY KEY, lane INTEGER, name BLOB, waiting INTEGER, sent INTEGER,
    UNIQUE (lane, name));
    CREATE INDEX waiting_hosts ON hosts (lane, number) WHERE waiting;
    CREATE TABLE left_out (source INTEGER, digest BLOB, PRIMARY KEY (source, digest)) WITHOUT ROWID;
"""
_ENTRY_COLUMNS = f"number, digest, host, source, rank, archived, url, fetch_url, {', '.join(CANDIDATE_FIELDS)}"
_ADD = f"INSERT INTO entries ({_ENTRY_COLUMNS}) VALUES (?{', ?' * (7 + len(CANDIDATE_FIELDS))})"
_SETTLE = f"INSERT OR IGNORE INTO outcomes VALUES (?{', ?' * len(OUTCOME_FIELDS)})"
_OF_HOST = f"""
    SELECT number, source, rank, archived, url, fetch_url, {", ".join(CANDIDATE_FIELDS)} FROM entries
    WHERE host = ? AND number > ? ORDER BY number LIMIT ?
"""
_ALL_COLUMNS = ["url", *CANDIDATE_FIELDS, *OUTCOME_FIELDS]
# Of several entries with the same bytes the first is saved, regardless of the order of the responses
_ALL = f"""
    SELECT source, rank, url, {", ".join(CANDIDATE_FIELDS)}, {", ".join(f"o.{name}" for name in OUTCOME_FIELDS)},
    o.outcome = 'saved'
    AND EXISTS (SELECT 1 FROM outcomes WHERE outcome = 'saved' AND id = o.id AND number < o.number)
    FROM entries JOIN outcomes AS o USING (number) ORDER BY number
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One URL of a crawl: its number (from 1), the candidate, the source that found it, and its rank (from 1) among the
    URLs of its query. `archived` says that an outcome of an earlier crawl is still valid if its picture is.
    """

    number: int
    candidate: Candidate
    source: Source
    rank: int
    archived: bool = False


class Host(NamedTuple):
    """A host with entries that wait, after the one with the number `sent`. Its name is the authority of their URLs,
    empty for those that ask no host.
    """

    number: int
    name: str
    sent: int


class Settled(NamedTuple):
    """An entry and its outcome: `values` are the fields of its candidate, without `fetch_url`, and of the outcome.
    `is_repeated` says that an earlier entry has the same bytes.
    """

    source: Source
    rank: int
    values: dict[str, Any]
    is_repeated: bool


class Frontier:
    """All entries of a crawl, in the order in which they were found. Thread-safe.

    Only the parser thread adds entries, in the order of pages and links. So the same pages give the same entries,
    regardless of the order in which downloads finish. Each entry has a lane: LOCAL, or with `lanes` the number of the
    worker process that asks its host.

    Raises:
        sqlite3.OperationalError: the disk refuses to write.
    """

    def __init__(self, path: Path, limit: int, lanes: int = 0) -> None:
        self.path, self.limit, self.lanes = path, limit, lanes
        self.sources: list[Source] = []
        self.found = self.earlier = self.settled = self.saved = 0  # `earlier` are found by earlier crawls only
        self._ranks: Counter[tuple[str, str]] = Counter()
        self._hosts: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._lock = threading.Lock()
        path.unlink(missing_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_CREATE)

    def close(self) -> None:
        """Delete the database."""
        self._database.close()
        self.path.unlink(missing_ok=True)

    @property
    def full(self) -> bool:
        """Whether the number of entries has reached the limit."""
        return self.found - self.earlier >= self.limit

    def entry_for(self, candidate: Candidate, source: Source) -> Entry | None:
        """The entry that `append` may add; None if the URL is already in the frontier or the frontier is full."""
        if self.full or self._knows(candidate.url):
            return None
        rank = self._ranks[source.engine, source.query] + 1
        return Entry(number=self.found + 1, candidate=candidate, source=source, rank=rank)

    def earlier_entry_for(self, candidate: Candidate, source: Source, rank: int) -> Entry | None:
        """The entry of a URL that an earlier crawl found, regardless of the limit; None if the URL is already in the
        frontier.
        """
        if self._knows(candidate.url):
            return None
        self.earlier += 1
        return Entry(number=self.found + 1, candidate=candidate, source=source, rank=rank)

    def append(self, entry: Entry, outcome: Outcome | None = None) -> None:
        """Add an entry; one that has an outcome already does not wait."""
        with self._lock:
            candidate, source = entry.candidate, self._source_number(entry.source)
            digest = _digest(candidate.url)
            fetch_url = None if candidate.fetch_url == candidate.url else _to_blob(candidate.fetch_url)
            host = None if outcome is not None else self._wait_for_host(entry, digest)
            texts = [getattr(candidate, name) for name in CANDIDATE_FIELDS]
            values = (entry.number, digest, host, source, entry.rank, entry.archived, candidate.url, fetch_url, *texts)
            self._database.execute(_ADD, values)
            self.found += 1
            self._ranks[entry.source.engine, entry.source.query] += 1
        if outcome is not None:
            self.settle(entry.number, outcome)

    def settle(self, number: int, outcome: Outcome) -> None:
        """Record the outcome of an entry; only the first one counts."""
        with self._lock:
            values = [getattr(outcome, name) for name in OUTCOME_FIELDS]
            if self._database.execute(_SETTLE, (number, *values)).rowcount:
                self.settled += 1
                self.saved += outcome.outcome == "saved"

    def leave_out(self, candidates: Iterable[Candidate], source: Source) -> None:
        """Count candidates beyond the limit, some at a time as there may be millions."""
        number, left = self._source_number(source), iter(candidates)
        while some := [(number, _digest(candidate.url)) for candidate in islice(left, LEFT_OUT_TOGETHER)]:
            with self._lock:
                self._database.executemany("INSERT OR IGNORE INTO left_out VALUES (?, ?)", some)

    def left_out(self, source: Source) -> int:
        """How many URLs of `source` were left out."""
        query = "SELECT COUNT(*) FROM left_out WHERE source = ? AND digest NOT IN (SELECT digest FROM entries)"
        with self._lock:
            return int(self._database.execute(query, (self._source_number(source),)).fetchone()[0])

    def waiting_hosts(self, lane: int, after: int, count: int) -> list[Host]:
        """The first hosts of a lane with waiting entries, whose number is larger than `after`."""
        query = "SELECT number, name, sent FROM hosts WHERE waiting AND lane = ? AND number > ? ORDER BY number LIMIT ?"
        with self._lock:
            rows = self._database.execute(query, (lane, after, count)).fetchall()
        return [Host(number, _from_blob(name), sent) for number, name, sent in rows]

    def waiting_entries(self, host: int, after: int, count: int) -> list[Entry]:
        """The first entries of a host whose number is larger than `after`; if these are all, the host waits no more."""
        with self._lock:
            rows = self._database.execute(_OF_HOST, (host, after, count)).fetchall()
            if len(rows) < count:
                last = rows[-1][0] if rows else after
                self._database.execute("UPDATE hosts SET waiting = 0, sent = ? WHERE number = ?", (last, host))
        return [self._entry(*row) for row in rows]

    def all_settled(self) -> Iterator[Settled]:
        """Every entry with its outcome, in order.

        Raises:
            RuntimeError: an entry has no outcome, so a picture was lost by a defect of the crawler.
        """
        if self.settled != self.found:
            query = "SELECT url FROM entries WHERE number NOT IN (SELECT number FROM outcomes) LIMIT 3"
            lost = [url for (url,) in self._database.execute(query)]
            raise RuntimeError(f"{self.found} requested, {self.settled} settled; lost: {lost}")
        for source, rank, *values, is_repeated in self._database.execute(_ALL):
            yield Settled(self.sources[source], rank, dict(zip(_ALL_COLUMNS, values, strict=True)), bool(is_repeated))

    def saved_ids(self) -> Iterator[str]:
        """The ids of the saved pictures, each once, in ascending order."""
        query = "SELECT DISTINCT id FROM outcomes WHERE outcome = 'saved' ORDER BY id"
        return (id for (id,) in self._database.execute(query))

    def _entry(self, number: int, source: int, rank: int, archived: int, url: str, *rest: Any) -> Entry:
        blob, *texts = rest
        fetch_url = url if blob is None else _from_blob(blob)
        candidate = Candidate(url=url, fetch_url=fetch_url, **dict(zip(CANDIDATE_FIELDS, texts, strict=True)))
        found_by = self.sources[source]
        return Entry(number=number, candidate=candidate, source=found_by, rank=rank, archived=bool(archived))

    def _knows(self, url: str) -> bool:
        with self._lock:
            found = self._database.execute("SELECT 1 FROM entries WHERE digest = ?", (_digest(url),))
            return found.fetchone() is not None

    def _source_number(self, source: Source) -> int:
        if source not in self.sources:
            self.sources.append(source)
        return self.sources.index(source)

    def _wait_for_host(self, entry: Entry, digest: bytes) -> int:
        """The number of the host of an entry, which waits from now on."""
        name = "" if entry.archived else authority(entry.candidate.fetch_url)
        lane = self._lane(entry, name, digest)
        if (number := self._hosts.get((lane, name))) is None:
            key = lane, _to_blob(name)
            self._database.execute("INSERT OR IGNORE INTO hosts VALUES (NULL, ?, ?, 0, 0)", key)
            found = self._database.execute("SELECT number FROM hosts WHERE lane = ? AND name = ?", key)
            number = self._hosts[lane, name] = int(found.fetchone()[0])
            if len(self._hosts) > KNOWN_HOSTS:
                self._hosts.popitem(last=False)
        self._database.execute("UPDATE hosts SET waiting = 1 WHERE number = ? AND NOT waiting", (number,))
        return number

    def _lane(self, entry: Entry, host: str, digest: bytes) -> int:
        if not self.lanes or not entry.source.asks_hosts:
            return LOCAL
        return lane_of(host, self.lanes) if host else 1 + digest[0] % self.lanes


def lane_of(host: str, lanes: int) -> int:
    """The lane of a host, from 1: the same for all its ports, as most redirects lead from one to another."""
    return 1 + zlib.crc32(_to_blob(host.rpartition(":")[0])) % lanes


def _digest(url: str) -> bytes:
    return hashlib.blake2b(_to_blob(url), digest_size=16).digest()


def _to_blob(text: str) -> bytes:
    """UTF-8 that also has lone surrogates, as the names of some files have them."""
    return text.encode("utf-8", "surrogatepass")


def _from_blob(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
