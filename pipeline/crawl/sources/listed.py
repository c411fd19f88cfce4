"""The source `urls`: a list of pictures on the web."""

from pipeline.crawl.columns import Columns
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.base import Page, Source
from pipeline.crawl.url import absolute_path, normalize_url
from pipeline.crawl.url_list import UrlList


class UrlsSource(Source):
    """The URLs in a file, in its order, each once, with what the file says about them."""

    engine = "urls"

    def start(self) -> str:
        """The path of the file."""
        return self.options.urls

    def read(self, address: str, http_client: HttpClient) -> Page:
        """Read the URLs in the file at `address`."""
        listed = UrlList(absolute_path(address), Columns.parse(self.options.columns))
        candidates: list[Candidate] = []
        left_out: set[int] = set()
        seen: set[int] = set()  # hashes, as there may be a million addresses beyond the limit
        for row in listed:
            if len(candidates) == self.max_candidates:
                left_out.add(hash(row.address))  # as it is written: the normal form takes ten times as long to find
                continue
            url = normalize_url(row.address)
            if hash(url) not in seen:
                about = {name: getattr(row, name) for name in ("title", "page", "license", "creator", "category")}
                candidates.append(Candidate(url=url, fetch_url=url, **about))
            seen |= {hash(url), hash(row.address)}
        omitted = len(left_out - seen)
        return Page(candidates=candidates, links=[], omitted=omitted, cut_reason=listed.faults.words())
