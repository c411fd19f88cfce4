"""The frontier: every requested URL with its rank and its outcome. Only this module enforces the limit of a crawl."""

import threading
from collections import Counter
from dataclasses import dataclass

from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.sources.base import Source


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One requested URL: the candidate, the source that found it, and its rank (from 1) among the URLs of its query."""

    candidate: Candidate
    source: Source
    rank: int


class Frontier:
    """All entries of a crawl, in the order in which they were found.

    Only the parser thread adds entries, in the order of pages and links. So the same pages give the same entries,
    regardless of the order in which downloads finish. Any thread may record an outcome.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: list[Entry] = []
        self.outcomes: dict[str, Outcome] = {}
        self.saved = 0
        self.earlier = 0  # entries found by earlier crawls only
        self._seen_urls: set[str] = set()
        self._ranks: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether the number of entries has reached the limit."""
        return len(self.entries) - self.earlier >= self.limit

    def add(self, candidate: Candidate, source: Source) -> Entry | None:
        """Add a candidate; None if its URL is already in the frontier or the frontier is full."""
        if self.full or candidate.url in self._seen_urls:
            return None
        self._ranks[source.engine, source.query] += 1
        return self._append(candidate, source, self._ranks[source.engine, source.query])

    def add_earlier(self, candidate: Candidate, source: Source, rank: int) -> Entry | None:
        """Add a candidate that an earlier crawl found, regardless of the limit; None if its URL is already in the
        frontier.
        """
        if candidate.url in self._seen_urls:
            return None
        self.earlier += 1
        return self._append(candidate, source, rank)

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Record the outcome of an entry."""
        with self._lock:
            self.outcomes[entry.candidate.url] = outcome
            self.saved += outcome.outcome == "saved"

    def _append(self, candidate: Candidate, source: Source, rank: int) -> Entry:
        self._seen_urls.add(candidate.url)
        self.entries.append(Entry(candidate=candidate, source=source, rank=rank))
        return self.entries[-1]
