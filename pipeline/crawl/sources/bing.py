"""Bing's image search: the `m` attribute of each result is JSON with picture URL, page URL and title."""

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
MAX_JSON_LENGTH = 20_000  # characters of the JSON of a result; usual are 2,000
RESULTS_PER_PAGE = 35
HIGHLIGHT_MARKS = str.maketrans("", "", "\ue000\ue001")  # private-use characters around the words of the query


class BingSource(SearchSource):
    """Bing's results for one query."""

    engine = "bing"

    def results_url(self, count: int) -> str:
        """The URL of the page of results after the first `count`."""
        return f"{SEARCH}?{urlencode({'q': self.query, 'first': count + 1, 'count': RESULTS_PER_PAGE})}"

    def results(self, response: Response) -> list[Candidate]:
        """The candidates of one page of results; results that cannot be parsed are omitted."""
        found = _ResultHandler(self.max_candidates)
        html.parse_html(response.data, found, time.monotonic() + html.MAX_SECONDS)
        rows = [_parse_json(text) for text in found.texts]
        return [
            Candidate(
                url=normalize_url(row["murl"]),
                fetch_url=normalize_url(row["murl"]),
                page=_page(row),
                title=str(row.get("t") or "").translate(HIGHLIGHT_MARKS).strip(),
            )
            for row in rows
            if isinstance(row.get("murl"), str)
        ]


class _ResultHandler:
    """A handler that collects the elements of the CSS selector `div.imgpt a[m], a.iusc[m]`."""

    def __init__(self, max_results: int) -> None:
        self.stop_reason = ""
        self.texts: list[str] = []
        self._max_results = max_results
        self._open_divs: list[bool] = []  # for each open div, whether its class is imgpt
        self._result_depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        classes = attributes.get("class", "").split()
        if tag == "div":
            self._open_divs.append("imgpt" in classes)
            self._result_depth += "imgpt" in classes
        elif tag == "a" and "m" in attributes and (self._result_depth or "iusc" in classes):
            self.texts.append(attributes["m"] if len(attributes["m"]) <= MAX_JSON_LENGTH else "")
            self.stop_reason = "more results than the limit needs" if len(self.texts) >= self._max_results else ""

    def end(self, tag: str) -> None:
        """Handle the end of an element."""
        if tag == "div" and self._open_divs:
            self._result_depth -= self._open_divs.pop()

    def text(self, text: str) -> None:
        """Ignore text."""


def _page(row: dict[str, Any]) -> str:
    page = normalize_url(str(row.get("purl") or ""))
    return page if host_of(page) else ""


def _parse_json(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    return row if isinstance(row, dict) else {}
