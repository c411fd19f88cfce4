"""Who was asked for and what became of each: the one place where ranks are given and the limit is held."""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.outcome import Candidate, Outcome


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One requested URL: the candidate, who found it, and its place (from 1) among what was taken from that query."""

    candidate: Candidate
    engine: str
    query: str
    rank: int

    def task(self) -> dict[str, Any]:
        """This entry as a task for icrawler's downloader."""
        return {"file_url": self.candidate.url, "entry": self}


class Ledger:
    """All entries of a crawl in the order in which they were found, never more than `limit`.

    One parser thread at a time takes, in the order of pages and links, so that the same pages give the same entries
    however the downloads fall out. Any thread settles.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: list[Entry] = []
        self.outcomes: dict[str, Outcome] = {}
        self.saved = 0
        self._known: set[str] = set()
        self._ranks: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether as many pictures have been asked for as may be."""
        return len(self.entries) >= self.limit

    def take(self, candidate: Candidate, *, engine: str, query: str) -> Entry | None:
        """Enter a candidate; None if its URL was met before in this crawl, or the ledger is full."""
        if self.full or candidate.url in self._known:
            return None
        self._known.add(candidate.url)
        self._ranks[engine, query] += 1
        entry = Entry(candidate=candidate, engine=engine, query=query, rank=self._ranks[engine, query])
        self.entries.append(entry)
        return entry

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Write down what became of an entry."""
        with self._lock:
            self.outcomes[entry.candidate.url] = outcome
            self.saved += outcome.outcome == "saved"
