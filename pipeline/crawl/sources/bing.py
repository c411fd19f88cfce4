"""Bing's picture search: the `m` attribute of each result is JSON with the picture, its page and its title."""

import json
import time
from typing import Any
from urllib.parse import urlencode

from pipeline.crawl import html
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Response
from pipeline.crawl.sources.base import SearchSource
from pipeline.crawl.url import host_of, normalize_url

SEARCH = "https://www.bing.com/images/async"
LONGEST = 20_000  # characters of the JSON of a result, which has a tenth of that
STEP = 35  # results that a page is asked for
HIGHLIGHT = str.maketrans("", "", "\ue000\ue001")  # private signs that Bing puts around the words searched for


class BingSource(SearchSource):
    """What Bing finds for one query."""

    engine = "bing"

    def page_from(self, count: int) -> str:
        """The address of the page that follows on `count` results."""
        return f"{SEARCH}?{urlencode({'q': self.query, 'first': count + 1, 'count': STEP})}"

    def results(self, body: Response) -> list[Candidate]:
        """What one page shows; what is not understood is left out."""
        found = _Results(self.most)
        html.stream(body.data, found, time.monotonic() + html.SECONDS)
        rows = [_row(text) for text in found.texts]
        return [
            Candidate(
                url=normalize_url(row["murl"]),
                address=normalize_url(row["murl"]),
                page=_page(row),
                title=str(row.get("t") or "").translate(HIGHLIGHT).strip(),
            )
            for row in rows
            if isinstance(row.get("murl"), str)
        ]


class _Results:
    """A handler that keeps what the CSS selector `div.imgpt a[m], a.iusc[m]` finds."""

    def __init__(self, most: int) -> None:
        self.enough = ""
        self.texts: list[str] = []
        self._most = most
        self._divisions: list[bool] = []  # those that are open: whether they hold a result
        self._within = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in an element."""
        classes = attributes.get("class", "").split()
        if tag == "div":
            self._divisions.append("imgpt" in classes)
            self._within += "imgpt" in classes
        elif tag == "a" and "m" in attributes and (self._within or "iusc" in classes):
            self.texts.append(attributes["m"] if len(attributes["m"]) <= LONGEST else "")
            self.enough = "as many results as can be of use" if len(self.texts) >= self._most else ""

    def end(self, tag: str) -> None:
        """Close an element."""
        if tag == "div" and self._divisions:
            self._within -= self._divisions.pop()

    def text(self, text: str) -> None:
        """Text says nothing here."""


def _page(row: dict[str, Any]) -> str:
    page = normalize_url(str(row.get("purl") or ""))
    return page if host_of(page) else ""


def _row(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    return row if isinstance(row, dict) else {}
