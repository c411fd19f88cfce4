"""Openverse: openly licensed pictures by an API that needs no key, with licence, creator and landing page."""

import json
from typing import Any
from urllib.parse import urlencode

from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources.base import ANSWER_BYTES, Page, WebSource
from pipeline.crawl.url import host_of, normalize_url
from pipeline.options import DownloadOptions

SEARCH = "https://api.openverse.org/v1/images/"
PAGE_SIZE = 20  # the most for callers without a key, who get 240 results of a query in all


class OpenverseSource(WebSource):
    """What Openverse finds for one query."""

    engine = "openverse"
    most_bytes = ANSWER_BYTES

    def __init__(self, options: DownloadOptions, query: str) -> None:
        super().__init__(options)
        self.query = query
        self._read = 0

    def start(self) -> str:
        """The first page of results."""
        return self._page(1)

    def parse(self, body: Response, address: str) -> Page | Fault:
        """The results of one page, and the next page while the API says that there is one."""
        try:
            answer = json.loads(body.data)
            found = [candidate(row) for row in answer["results"][: self.most] if isinstance(row.get("url"), str)]
            more = self._read + 1 < answer["page_count"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Fault(reason="not an answer of Openverse's API", status=body.status)
        self._read += 1
        return Page(candidates=found, links=[self._page(self._read + 1)] if more else [])

    def _page(self, number: int) -> str:
        return f"{SEARCH}?{urlencode({'q': self.query, 'page': number, 'page_size': PAGE_SIZE})}"


def candidate(row: dict[str, Any]) -> Candidate:
    """One result of the API."""
    name = f"{_text(row, 'license')} {_text(row, 'license_version')}".strip()
    deed = _web(row, "license_url")
    return Candidate(
        url=normalize_url(row["url"]),
        address=normalize_url(row["url"]),
        page=_web(row, "foreign_landing_url"),
        title=_text(row, "title"),
        license=f"{name} ({deed})" if name and deed else name or deed,
        creator=_text(row, "creator"),
    )


def _text(row: dict[str, Any], name: str) -> str:
    return row[name] if isinstance(row.get(name), str) else ""


def _web(row: dict[str, Any], name: str) -> str:
    """The web address in a field; empty if there is none."""
    address = normalize_url(_text(row, name))
    return address if host_of(address) else ""
