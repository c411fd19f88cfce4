"""Read the pages of a source, breadth first, and report what went wrong."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import RequestFault
from pipeline.crawl.sources.base import Source
from pipeline.errors import UserError

MAX_REASONS = 10  # shown in the notices


class Reader:
    """Reads at most `max_pages` pages of `source`, breadth first.

    `found` is whether any page shows a picture, `omitted` the number of pictures that pages have but do not show. The
    queue holds no more links than pages that may still be read. A page may have a million pictures, so they are taken
    from it one by one.
    """

    def __init__(self, source: Source, *, max_pages: int) -> None:
        self.source = source
        self.max_pages = max_pages
        self.pages = 0
        self.found = False
        self.omitted = 0
        self.faults: list[tuple[str, RequestFault]] = []
        self.cut_pages: list[tuple[str, str]] = []
        self._queue = deque([source.start()])
        self._known = set(self._queue)
        self._links_dropped = False
        self._page: Iterator[Candidate] = iter(())  # the rest of the page that was read last

    def candidates(self, http_client: HttpClient) -> Iterator[Candidate]:
        """Yield the pictures of the pages in order; a page is read after the pictures of the previous one."""
        while self._queue and not self.reached_max_pages and not http_client.stopping.is_set():
            self._page = self._read(self._queue.popleft(), http_client)
            yield from self.remaining()

    def remaining(self) -> Iterator[Candidate]:
        """Yield the pictures that are left of the page that was read last."""
        # Not `yield from`, by which a caller that has enough would end the page
        for candidate in self._page:  # noqa: UP028
            yield candidate

    @property
    def unread_pages(self) -> int:
        """How many pages are known and were not read."""
        return len(self._queue)

    @property
    def reached_max_pages(self) -> bool:
        """Whether `max_pages` pages were read."""
        return self.pages + len(self.faults) >= self.max_pages

    def _read(self, address: str, http_client: HttpClient) -> Iterator[Candidate]:
        try:
            page = self.source.read(address, http_client)
        except UserError:
            raise
        except Exception as error:  # an unexpected page fails alone; the notices name it
            page = RequestFault(reason=f"page cannot be parsed: {type(error).__name__}")
        if isinstance(page, RequestFault):
            self.faults.append((address, page))
            return
        self.pages += 1
        self._note_cut(address, page.cut_reason)
        self._enqueue(page.links)
        self.omitted += page.omitted
        try:
            for candidate in page.candidates:
                self.found = True
                yield candidate
        except UserError:
            raise
        except Exception as error:  # of a list or a folder, whose candidates are read one by one
            self._note_cut(address, f"the rest cannot be read: {type(error).__name__}")
        self._note_cut(address, page.cut_reason_at_end())

    def _note_cut(self, address: str, reason: str) -> None:
        if reason:
            self.cut_pages.append((address, reason))

    def _enqueue(self, links: Iterable[str]) -> None:
        """Queue the new links, at most one for each page that may still be read."""
        room = self.max_pages - self.pages - len(self.faults)
        for link in links:
            if link in self._known:
                continue
            if len(self._queue) >= room:
                self._links_dropped = True
                return
            self._known.add(link)
            self._queue.append(link)

    def notices(self) -> list[str]:
        """Messages for the user, one for each reason for which pages failed or were truncated."""
        lines = ["no pictures found"] if self.pages and not self.found and not self.faults else []
        lines += self._fault_lines("not read", [(address, fault.reason) for address, fault in self.faults])
        lines += self._fault_lines("read in part", self.cut_pages)
        if self.reached_max_pages and (self._queue or self._links_dropped):
            lines.append(f"stopped after {self.max_pages} pages; set pages for more")
        return [f"{self.source.name}: {line}" for line in lines]

    def _fault_lines(self, verb: str, pages: list[tuple[str, str]]) -> list[str]:
        """One line for each reason, at most `MAX_REASONS`, because a server may give another reason for each page."""
        by_reason: dict[str, list[str]] = {}
        for address, reason in pages:
            by_reason.setdefault(reason, []).append(address)
        lines = [
            f"{len(urls)} page{'s' * (len(urls) > 1)} {verb}: {reason} ({self.source.display_url(urls[0])})"
            for reason, urls in sorted(by_reason.items())[:MAX_REASONS]
        ]
        left = len(by_reason) - MAX_REASONS
        return [*lines, f"pages {verb} for {left} more reasons"] if left > 0 else lines


FoundCandidate = tuple[Reader, Candidate]


def one_after_another(readers: Iterable[Reader], http_client: HttpClient) -> Iterator[FoundCandidate]:
    """Yield all candidates of the first reader, then those of the next."""
    for reader in readers:
        yield from _candidates_of(reader, http_client)


def round_robin(readers: Iterable[Reader], http_client: HttpClient) -> Iterator[FoundCandidate]:
    """Yield one candidate of each reader in turn until no reader has any left."""
    waiting = deque(_candidates_of(reader, http_client) for reader in readers)
    while waiting:
        candidates = waiting.popleft()
        if found := next(candidates, None):
            yield found
            waiting.append(candidates)


def order(mix: bool) -> Callable[[Iterable[Reader], HttpClient], Iterator[FoundCandidate]]:
    """The order in which the readers yield: round-robin if `mix`, else one after another."""
    return round_robin if mix else one_after_another


def _candidates_of(reader: Reader, http_client: HttpClient) -> Iterator[FoundCandidate]:
    return ((reader, candidate) for candidate in reader.candidates(http_client))
