"""One source being read, page after page, and what is to be told of it in the end."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Fault
from pipeline.crawl.sources.base import Source

KINDS = 10  # reasons for which pages were not read, in the notices


class Reader:
    """The pages of `source`, breadth first, at most `most` of them.

    `found` says whether they show any picture. `shown` are the addresses of those of a source that does not grow, and
    `more` counts others of it: only there a person expects to get all. No more links are kept than can be read.
    """

    def __init__(self, source: Source, *, most: int) -> None:
        self.source = source
        self.most = most
        self.pages = 0
        self.found = False
        self.shown: set[str] = set()
        self.more = 0
        self.faults: list[tuple[str, Fault]] = []
        self.cuts: list[tuple[str, str]] = []
        self._waiting = deque([source.start()])
        self._known = set(self._waiting)
        self._left_off = False

    def candidates(self, fetcher: HttpClient) -> Iterator[Candidate]:
        """Yield what the pages show, in their order; each page is read when the one before it is used up."""
        while self._waiting and not self.cut_off and not fetcher.stopping.is_set():
            yield from self._read(self._waiting.popleft(), fetcher)

    @property
    def cut_off(self) -> bool:
        """Whether as many pages were read as may be."""
        return self.pages + len(self.faults) >= self.most

    def _read(self, address: str, fetcher: HttpClient) -> list[Candidate]:
        page = self.source.read(address, fetcher)
        if isinstance(page, Fault):
            self.faults.append((address, page))
            return []
        self.pages += 1
        if page.cut:
            self.cuts.append((address, page.cut))
        self._await(page.links)
        self.found = self.found or bool(page.candidates)
        self.more += page.more
        if not self.source.grows:
            self.shown.update(candidate.url for candidate in page.candidates)
        return page.candidates

    def _await(self, links: Iterable[str]) -> None:
        """Remember the links that are new, as far as there is still a page to be read for each of them."""
        room = self.most - self.pages - len(self.faults)
        for link in links:
            if link in self._known:
                continue
            if len(self._waiting) >= room:
                self._left_off = True
                return
            self._known.add(link)
            self._waiting.append(link)

    def notices(self) -> list[str]:
        """What a person should know, a line for each kind of trouble."""
        lines = ["no pictures there"] if self.pages and not self.found and not self.faults else []
        lines += self._troubles("not read", [(address, fault.reason) for address, fault in self.faults])
        lines += self._troubles("read in part", self.cuts)
        if self.cut_off and (self._waiting or self._left_off):
            lines.append(f"left off after {self.most} pages; set pages for more")
        return [f"{self.source.name}: {line}" for line in lines]

    def _troubles(self, what: str, pages: list[tuple[str, str]]) -> list[str]:
        """A line for each reason, up to `KINDS`; a server may have one of its own for each page."""
        by_reason: dict[str, list[str]] = {}
        for address, reason in pages:
            by_reason.setdefault(reason, []).append(address)
        lines = [
            f"{len(places)} page{'s' * (len(places) > 1)} {what}: {reason} ({self.source.place_of(places[0])})"
            for reason, places in sorted(by_reason.items())[:KINDS]
        ]
        left = len(by_reason) - KINDS
        return [*lines, f"pages {what} for {left} more reasons"] if left > 0 else lines


Found = tuple[Reader, Candidate]


def one_after_another(readings: Iterable[Reader], fetcher: HttpClient) -> Iterator[Found]:
    """All that the first reading finds, then the next."""
    for reading in readings:
        yield from _found(reading, fetcher)


def round_robin(readings: Iterable[Reader], fetcher: HttpClient) -> Iterator[Found]:
    """One picture of each reading, then the next of each, until none has any."""
    rounds = zip_longest(*(_found(reading, fetcher) for reading in readings))
    return (found for each in rounds for found in each if found)


def order(mix: bool) -> Callable[[Iterable[Reader], HttpClient], Iterator[Found]]:
    """How the readings take turns."""
    return round_robin if mix else one_after_another


def _found(reading: Reader, fetcher: HttpClient) -> Iterator[Found]:
    return ((reading, candidate) for candidate in reading.candidates(fetcher))
