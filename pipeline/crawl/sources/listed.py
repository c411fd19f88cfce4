"""The source `urls`: a list of pictures on the web."""

from collections.abc import Iterator

from pipeline.crawl.columns import Columns
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.base import Page, Source
from pipeline.crawl.url import absolute_path, normalize_url
from pipeline.crawl.url_list import UrlList


class UrlsSource(Source):
    """The URLs in a file, in its order, with what the file says about them."""

    engine = "urls"
    asks_hosts = True

    def start(self) -> str:
        """The path of the file."""
        return self.options.urls

    def read(self, address: str, http_client: HttpClient) -> Page:
        """Read the URLs in the file at `address`, one after another: there may be millions."""
        listed = UrlList(absolute_path(address), Columns.parse(self.options.columns))
        return Page(candidates=_candidates(listed), links=[], cut_reason_at_end=lambda: listed.faults.words())


def _candidates(listed: UrlList) -> Iterator[Candidate]:
    for row in listed:
        url = normalize_url(row.address)
        yield Candidate(
            url=url,
            fetch_url=url,
            title=row.title,
            page=row.page,
            license=row.license,
            creator=row.creator,
            category=row.category,
        )
