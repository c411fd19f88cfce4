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
        seen: set[int] = set()  # hashes, as there may be a million URLs beyond the limit
        for row in listed:
            url = normalize_url(row.address)
            if (key := hash(url)) in seen:
                continue
            seen.add(key)
            if len(candidates) < self.max_candidates:
                about = {name: getattr(row, name) for name in ("title", "page", "license", "creator", "category")}
                candidates.append(Candidate(url=url, fetch_url=url, **about))
        omitted = len(seen) - len(candidates)
        return Page(candidates=candidates, links=[], omitted=omitted, cut_reason=listed.faults.words())
