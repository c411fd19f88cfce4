"""The frontier: every requested URL, its rank, and its outcome. The limit of a crawl is enforced here alone."""

import threading
from collections import Counter
from dataclasses import dataclass

from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.sources.base import Source


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One requested URL: the candidate, who found it, and its place (from 1) among what was taken from that query."""

    candidate: Candidate
    source: Source
    rank: int


class Frontier:
    """All entries of a crawl in the order in which they were found.

    One parser thread alone takes, in the order of pages and links, so that the same pages give the same entries
    however the downloads fall out. Any thread settles.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: list[Entry] = []
        self.outcomes: dict[str, Outcome] = {}
        self.saved = 0
        self.earlier = 0  # entries that only earlier crawls found
        self._known: set[str] = set()
        self._ranks: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether as many pictures have been asked for as may be."""
        return len(self.entries) - self.earlier >= self.limit

    def take(self, candidate: Candidate, source: Source) -> Entry | None:
        """Enter a candidate; None if its URL was met before in this crawl, or the ledger is full."""
        if self.full or candidate.url in self._known:
            return None
        self._ranks[source.engine, source.query] += 1
        return self._enter(candidate, source, self._ranks[source.engine, source.query])

    def keep(self, candidate: Candidate, source: Source, rank: int) -> Entry | None:
        """Enter what an earlier crawl was answered about, beyond the limit; None if this crawl met it too."""
        if candidate.url in self._known:
            return None
        self.earlier += 1
        return self._enter(candidate, source, rank)

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Write down what became of an entry."""
        with self._lock:
            self.outcomes[entry.candidate.url] = outcome
            self.saved += outcome.outcome == "saved"

    def _enter(self, candidate: Candidate, source: Source, rank: int) -> Entry:
        self._known.add(candidate.url)
        self.entries.append(Entry(candidate=candidate, source=source, rank=rank))
        return self.entries[-1]
