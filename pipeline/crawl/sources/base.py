"""The interface of a source, and what all search services share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Fault, Request, RequestPolicy, Response
from pipeline.options import DownloadOptions
from pipeline.text import plain

PAGE_BYTES = 10_000_000
LONGEST_PLACE = 200  # characters of an address in a notice
PAGE_TYPES = ("text/html", "application/xhtml+xml", "application/json")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page shows: pictures and further pages, both in the order in which they stand there."""

    candidates: list[Candidate]
    links: list[str]
    more: int = 0  # pictures beyond those, if they were counted
    cut: str = ""  # why this is not all of the page, if it is not


class Source(ABC):
    """One source, for one query if it takes any. Made anew for every crawl."""

    engine: str
    query: str = ""
    remembered: bool = True  # what the archive knows of a URL holds; not so for files, which their owner may change
    grows: bool = False  # what it shows changes from day to day, and what it showed once still belongs to the subject

    def __init__(self, options: DownloadOptions) -> None:
        self.options = options

    @property
    def topic(self) -> str:
        """What it was asked for: crawls of the same topic add up."""
        return self.query

    @property
    def name(self) -> str:
        """The source and its query, for a person."""
        return f"{self.engine} '{self.query}'" if self.query else self.engine

    @abstractmethod
    def start(self) -> str:
        """The address of the first page."""

    @abstractmethod
    def read(self, address: str, fetcher: HttpClient) -> Page | Fault:
        """What the page at `address` shows, or why it cannot be had."""

    def name_of(self, address: str) -> str:
        """The lasting name of an address: itself, unless the source stands somewhere else each time."""
        return address

    def place_of(self, address: str) -> str:
        """An address for a person: host and path."""
        try:
            parts = urlsplit(self.name_of(address))
        except ValueError:
            return plain(address, LONGEST_PLACE)
        return plain(parts.netloc + parts.path, LONGEST_PLACE)

    def ask(self, candidate: Candidate) -> RequestPolicy:
        """What the request for a picture may and wants."""
        referer = candidate.page if candidate.page.startswith("http") else ""
        return self._ask(self.options.max_bytes, referer=referer, accept="image/*")

    def errand(self, candidate: Candidate) -> Request:
        """The way to a picture."""
        return Request(candidate.address, self.ask(candidate))

    def step(self, errand: Request, fetcher: HttpClient) -> Response | Fault | None:
        """Bring the errand a step on: the picture, why there is none, or None if it goes on."""
        return fetcher.step(errand)

    @property
    def most(self) -> int:
        """How many different pictures of a page can be of use: as many again may be known from other pages."""
        return 2 * self.options.limit

    def _ask(self, most: int, **wants: Any) -> RequestPolicy:
        rules: dict[str, Any] = {"allow_private": self.options.allow_private, "robots": self.options.robots}
        return RequestPolicy(most=most, **(rules | wants))


class WebSource(Source):
    """A source whose pages come over the web."""

    grows = True

    # A page that a search service makes for the user's own query is asked for, not crawled: robots.txt, which is for
    # following links, keeps to what the service points at. Openverse's API, open to all, forbids it to robots.
    crawls_pages: bool = False
    most_bytes: int = PAGE_BYTES
    referer: str = ""  # for its pages, where a service answers only what comes from its own

    def read(self, address: str, fetcher: HttpClient) -> Page | Fault:
        """Get the page and parse it."""
        robots, accept = self.options.robots and self.crawls_pages, ",".join(PAGE_TYPES)
        ask = self._ask(self.most_bytes, robots=robots, referer=self.referer, accept=accept, types=PAGE_TYPES)
        try:
            got = fetcher.get(address, ask)
            return got if isinstance(got, Fault) else self.parse(got, address)
        except Exception as error:  # a page may be stranger than its parser foresees; the notices name it
            return Fault(reason=f"page not understood: {type(error).__name__}")

    @abstractmethod
    def parse(self, body: Response, address: str) -> Page | Fault:
        """What the page asked for at `address` shows; `body.url` is where redirects led to."""


ANSWER_BYTES = 4_000_000  # of one page of results, which has some tens of them


class SearchSource(WebSource):
    """A service that is asked for the results from a number on."""

    most_bytes = ANSWER_BYTES

    def __init__(self, options: DownloadOptions, query: str) -> None:
        super().__init__(options)
        self.query = query
        self._found: set[str] = set()

    def start(self) -> str:
        """The page that begins with the first result."""
        return self.page_from(0)

    def parse(self, body: Response, address: str) -> Page | Fault:
        """The results of one page, and the page after it if any of them is new."""
        found = self.results(body)
        if isinstance(found, Fault):
            return found
        found = found[: self.most]
        before = len(self._found)
        self._found.update(candidate.url for candidate in found)
        more = len(self._found) > before
        return Page(candidates=found, links=[self.page_from(len(self._found))] if more else [])

    @abstractmethod
    def page_from(self, count: int) -> str:
        """The address of the page that follows on `count` results."""

    @abstractmethod
    def results(self, body: Response) -> list[Candidate] | Fault:
        """What one page shows; what is not understood is left out."""
