"""Bing's picture search: the `m` attribute of each result is JSON with the picture, its page and its title."""

import json
from urllib.parse import urlencode

from bs4 import BeautifulSoup

from pipeline.crawl.address import tidy
from pipeline.crawl.answer import Body
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.source import Page, WebSource
from pipeline.options import DownloadOptions

SEARCH = "https://www.bing.com/images/async"
RESULTS = "div.imgpt a[m], a.iusc[m]"
STEP = 35  # results that a page is asked for
HIGHLIGHT = str.maketrans("", "", "\ue000\ue001")  # private signs that Bing puts around the words searched for


class BingSource(WebSource):
    """What Bing finds for one query, page after page until one shows nothing new."""

    engine = "bing"

    def __init__(self, options: DownloadOptions, query: str) -> None:
        super().__init__(options)
        self.query = query
        self._found: set[str] = set()

    def start(self) -> str:
        """The page that begins with the first result."""
        return self._page(1)

    def parse(self, body: Body, address: str) -> Page:
        """The results of one page, and the page after it if any of them is new."""
        found = candidates(body.data)
        before = len(self._found)
        self._found.update(candidate.url for candidate in found)
        return Page(candidates=found, links=[self._page(len(self._found) + 1)] if len(self._found) > before else [])

    def _page(self, first: int) -> str:
        return f"{SEARCH}?{urlencode({'q': self.query, 'first': first, 'count': STEP})}"


def candidates(html: bytes) -> list[Candidate]:
    """The results that a page of Bing's shows; what is not understood is left out."""
    rows = [_row(tag["m"]) for tag in BeautifulSoup(html, "lxml").select(RESULTS)]
    return [
        Candidate(
            url=tidy(row["murl"]),
            address=tidy(row["murl"]),
            page=tidy(str(row.get("purl") or "")),
            title=str(row.get("t") or "").translate(HIGHLIGHT).strip(),
        )
        for row in rows
        if isinstance(row.get("murl"), str)
    ]


def _row(text: str) -> dict:
    try:
        row = json.loads(text)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {}
