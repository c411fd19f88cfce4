"""Openverse: openly licensed pictures with licence, creator and page, by an API that needs no key."""

import json
from typing import Any
from urllib.parse import urlencode

from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources.base import MAX_RESULTS_BYTES, Page, WebSource
from pipeline.crawl.url import host_of, normalize_url
from pipeline.options import DownloadOptions

SEARCH = "https://api.openverse.org/v1/images/"
PAGE_SIZE = 20  # the maximum without an API key; a query returns 240 results in total


class OpenverseSource(WebSource):
    """Openverse's results for one query."""

    engine = "openverse"
    max_page_bytes = MAX_RESULTS_BYTES

    def __init__(self, options: DownloadOptions, query: str) -> None:
        super().__init__(options)
        self.query = query
        self._pages_read = 0

    def start(self) -> str:
        """The URL of the first page of results."""
        return self._page_url(1)

    def parse(self, response: Response, address: str) -> Page | RequestFault:
        """The results of one page; the next page is linked until the last."""
        try:
            payload = json.loads(response.data)
            found = [
                candidate_of(row)
                for row in payload["results"][: self.max_candidates]
                if isinstance(row.get("url"), str)
            ]
            more = self._pages_read + 1 < payload["page_count"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return RequestFault(reason="not an answer of Openverse's API", status=response.status)
        self._pages_read += 1
        return Page(candidates=found, links=[self._page_url(self._pages_read + 1)] if more else [])

    def _page_url(self, number: int) -> str:
        return f"{SEARCH}?{urlencode({'q': self.query, 'page': number, 'page_size': PAGE_SIZE})}"


def candidate_of(row: dict[str, Any]) -> Candidate:
    """The candidate of one result of the API."""
    name = f"{_text_field(row, 'license')} {_text_field(row, 'license_version')}".strip()
    deed = _url_field(row, "license_url")
    return Candidate(
        url=normalize_url(row["url"]),
        fetch_url=normalize_url(row["url"]),
        page=_url_field(row, "foreign_landing_url"),
        title=_text_field(row, "title"),
        license=f"{name} ({deed})" if name and deed else name or deed,
        creator=_text_field(row, "creator"),
    )


def _text_field(row: dict[str, Any], name: str) -> str:
    return row[name] if isinstance(row.get(name), str) else ""


def _url_field(row: dict[str, Any], name: str) -> str:
    """The web URL in a field; empty if there is none."""
    address = normalize_url(_text_field(row, name))
    return address if host_of(address) else ""
