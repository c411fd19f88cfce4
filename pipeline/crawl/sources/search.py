"""What search services have in common: one query, and result after result until a page shows nothing new."""

from abc import abstractmethod

from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.source import Page, WebSource
from pipeline.options import DownloadOptions

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

    def parse(self, body: Body, address: str) -> Page | Fault:
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
    def results(self, body: Body) -> list[Candidate] | Fault:
        """What one page shows; what is not understood is left out."""
