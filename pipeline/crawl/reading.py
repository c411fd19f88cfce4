"""One source being read, page after page, and what is to be told of it in the end."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from pipeline.crawl.answer import Fault
from pipeline.crawl.fetch import Fetcher
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.source import Source


class Reading:
    """The pages of `source`, breadth first, at most `most` of them. `shown` are the addresses of the pictures there."""

    def __init__(self, source: Source, *, most: int) -> None:
        self.source = source
        self.most = most
        self.pages = 0
        self.shown: set[str] = set()
        self.faults: list[tuple[str, Fault]] = []
        self._waiting = deque([source.start()])
        self._known = set(self._waiting)

    def candidates(self, fetcher: Fetcher) -> Iterator[Candidate]:
        """Yield what the pages show, in their order; each page is read when the one before it is used up."""
        while self._waiting and not self.cut_off and not fetcher.stopping.is_set():
            yield from self._read(self._waiting.popleft(), fetcher)

    @property
    def cut_off(self) -> bool:
        """Whether as many pages were read as may be."""
        return self.pages + len(self.faults) >= self.most

    def _read(self, address: str, fetcher: Fetcher) -> list[Candidate]:
        page = self.source.read(address, fetcher)
        if isinstance(page, Fault):
            self.faults.append((address, page))
            return []
        self.pages += 1
        new = [link for link in dict.fromkeys(page.links) if link not in self._known]
        self._known.update(new)
        self._waiting.extend(new)
        self.shown.update(candidate.url for candidate in page.candidates)
        return page.candidates

    def notices(self) -> list[str]:
        """What a person should know, a line for each kind of trouble."""
        lines = ["no pictures there"] if self.pages and not self.shown and not self.faults else []
        by_reason: dict[str, list[str]] = {}
        for address, fault in self.faults:
            by_reason.setdefault(fault.reason, []).append(self.source.place_of(address))
        for reason, places in sorted(by_reason.items()):
            lines.append(f"{len(places)} page{'s' * (len(places) > 1)} not read: {reason} ({places[0]})")
        if self.cut_off and self._waiting:
            lines.append(f"left off after {self.most} pages; set pages for more")
        return [f"{self.source.name}: {line}" for line in lines]


Found = tuple[Reading, Candidate]


def in_turn(readings: Iterable[Reading], fetcher: Fetcher) -> Iterator[Found]:
    """All that the first reading finds, then the next."""
    for reading in readings:
        yield from _found(reading, fetcher)


def mixed(readings: Iterable[Reading], fetcher: Fetcher) -> Iterator[Found]:
    """One picture of each reading, then the next of each, until none has any."""
    rounds = zip_longest(*(_found(reading, fetcher) for reading in readings))
    return (found for each in rounds for found in each if found)


def order(mix: bool) -> Callable[[Iterable[Reading], Fetcher], Iterator[Found]]:
    """How the readings take turns."""
    return mixed if mix else in_turn


def _found(reading: Reading, fetcher: Fetcher) -> Iterator[Found]:
    return ((reading, candidate) for candidate in reading.candidates(fetcher))
