"""Bing's picture search: the `m` attribute of each result is JSON with the picture, its page and its title."""

import json
from urllib.parse import urlencode

from bs4 import BeautifulSoup

from pipeline.crawl.address import tidy
from pipeline.crawl.answer import Body
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.search import SearchSource

SEARCH = "https://www.bing.com/images/async"
RESULTS = "div.imgpt a[m], a.iusc[m]"
STEP = 35  # results that a page is asked for
HIGHLIGHT = str.maketrans("", "", "\ue000\ue001")  # private signs that Bing puts around the words searched for


class BingSource(SearchSource):
    """What Bing finds for one query."""

    engine = "bing"

    def page_from(self, count: int) -> str:
        """The address of the page that follows on `count` results."""
        return f"{SEARCH}?{urlencode({'q': self.query, 'first': count + 1, 'count': STEP})}"

    def results(self, body: Body) -> list[Candidate]:
        """What one page shows; what is not understood is left out."""
        rows = [_row(tag["m"]) for tag in BeautifulSoup(body.data, "lxml").select(RESULTS)]
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
