"""The interface of a source, and the base class of the search services."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Request, RequestFault, RequestPolicy, Response
from pipeline.options import DownloadOptions
from pipeline.text import to_plain_line

MAX_PAGE_BYTES = 10_000_000
MAX_RESULTS_BYTES = 4_000_000  # of one page with tens of results
MAX_DISPLAY_LENGTH = 200  # characters of a URL in a notice
PAGE_TYPES = ("text/html", "application/xhtml+xml", "application/json")


@dataclass(frozen=True, kw_only=True)
class Page:
    """The pictures and links of one page, in document order. Of a list or a folder the pictures are read one by one."""

    candidates: Iterable[Candidate]
    links: list[str]
    omitted: int = 0  # number of further pictures, which are not in `candidates`
    cut_reason: str = ""  # why reading stopped before the end of the page; empty if it did not
    cut_reason_at_end: Callable[[], str] = str  # the same, once the last of `candidates` was read


class Source(ABC):
    """A source of pictures, for one query if it takes one. Each crawl creates its own."""

    engine: str
    query: str = ""
    uses_archive: bool = True  # archived outcomes are reused; not for local files, which their owner may change
    grows: bool = False  # its results change over time, and pictures of earlier crawls still belong to the dataset
    asks_hosts: bool = False  # any process may fetch its pictures: nothing but `fetch` of this class is needed

    def __init__(self, options: DownloadOptions) -> None:
        self.options = options

    @property
    def topic(self) -> str:
        """What the source is asked for, the query or the first URL: crawls of the same topic are combined."""
        return self.query

    @property
    def name(self) -> str:
        """The source and its query, for messages."""
        return f"{self.engine} '{self.query}'" if self.query else self.engine

    @abstractmethod
    def start(self) -> str:
        """The URL (or path) of the first page."""

    @abstractmethod
    def read(self, address: str, http_client: HttpClient) -> Page | RequestFault:
        """Read the page at `address`: a URL or a path."""

    def stable_url(self, address: str) -> str:
        """The permanent name of a URL: the URL itself, unless the source is served at another address each time."""
        return address

    def display_url(self, address: str) -> str:
        """A URL for messages: host and path."""
        try:
            parts = urlsplit(self.stable_url(address))
        except ValueError:
            return to_plain_line(address, MAX_DISPLAY_LENGTH)
        return to_plain_line(parts.netloc + parts.path, MAX_DISPLAY_LENGTH)

    def policy_for(self, candidate: Candidate) -> RequestPolicy:
        """The policy of the request for a picture."""
        page = candidate.page
        referer = page if page.startswith("http") and page.isascii() else ""  # no other text may be in a header
        return self._policy(self.options.max_bytes, referer=referer, accept="image/*")

    def request_for(self, candidate: Candidate) -> Request:
        """The request for a picture."""
        return Request(candidate.fetch_url, self.policy_for(candidate))

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault | None:
        """Do the next step of a request: return the response or the fault, or None if another step is needed."""
        return http_client.send(request)

    @property
    def max_candidates(self) -> int:
        """The maximum number of pictures of one page: twice the limit, because other pages may show the same ones."""
        return 2 * self.options.limit

    def _policy(self, max_bytes: int, **settings: Any) -> RequestPolicy:
        rules: dict[str, Any] = {"allow_private": self.options.allow_private, "robots": self.options.robots}
        return RequestPolicy(max_bytes=max_bytes, **(rules | settings))


class WebSource(Source):
    """A source whose pages are fetched over HTTP."""

    grows = True

    # The results page for the user's query is requested, not crawled: robots.txt is about following links, so it
    # applies to what the results link to. (Openverse's robots.txt forbids its public API.)
    crawls_pages: bool = False
    max_page_bytes: int = MAX_PAGE_BYTES
    referer: str = ""  # for services that require their own site as the Referer

    def read(self, address: str, http_client: HttpClient) -> Page | RequestFault:
        """Fetch the page and parse it."""
        robots, accept = self.options.robots and self.crawls_pages, ",".join(PAGE_TYPES)
        policy = self._policy(
            self.max_page_bytes, robots=robots, referer=self.referer, accept=accept, content_types=PAGE_TYPES
        )
        response = http_client.get(address, policy)
        return response if isinstance(response, RequestFault) else self.parse(response, address)

    @abstractmethod
    def parse(self, response: Response, address: str) -> Page | RequestFault:
        """Parse the response to the request for `address`; `response.url` is the final URL after redirects."""


class SearchSource(WebSource):
    """A search service whose results are requested by offset."""

    max_page_bytes = MAX_RESULTS_BYTES

    def __init__(self, options: DownloadOptions, query: str) -> None:
        super().__init__(options)
        self.query = query
        self._seen_urls: set[str] = set()

    def start(self) -> str:
        """The URL of the first page of results."""
        return self.results_url(0)

    def parse(self, response: Response, address: str) -> Page | RequestFault:
        """The results of one page; the next page is linked if any of them is new."""
        found = self.results(response)
        if isinstance(found, RequestFault):
            return found
        found = found[: self.max_candidates]
        before = len(self._seen_urls)
        self._seen_urls.update(candidate.url for candidate in found)
        has_new = len(self._seen_urls) > before
        return Page(candidates=found, links=[self.results_url(len(self._seen_urls))] if has_new else [])

    @abstractmethod
    def results_url(self, count: int) -> str:
        """The URL of the page of results after the first `count`."""

    @abstractmethod
    def results(self, response: Response) -> list[Candidate] | RequestFault:
        """The candidates of one page of results; results that cannot be parsed are omitted."""
