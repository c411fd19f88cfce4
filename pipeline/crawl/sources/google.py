"""Google's image search: the results for clients without scripts, or a message if there are none.

Since 2025 Google sends most automated clients a page with scripts only, which no parser can read.
"""

import json
import re
import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import parse_qs, urlencode, urlsplit

from pipeline.crawl import html
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.page import Link, PageContents
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources.base import SearchSource
from pipeline.crawl.url import host_of, normalize_url

SEARCH = "https://www.google.com/search"
SCRIPTS_ONLY = "Google answers automated clients with scripts only; use bing, openverse or baidu"
# A picture in the data of the scripts: ["https://...", height, width]
IMAGE_TRIPLE = re.compile(r'\[("https?://(?:[^"\\]|\\.)+"),\s*\d+,\s*\d+\]')
OWN_DOMAINS = ("gstatic.com", "google.com", "googleusercontent.com", "ggpht.com")


class GoogleSource(SearchSource):
    """Google's results for one query."""

    engine = "google"

    def results_url(self, count: int) -> str:
        """The URL of the page of results after the first `count`."""
        return f"{SEARCH}?{urlencode({'q': self.query, 'tbm': 'isch', 'start': count})}"

    def results(self, response: Response) -> list[Candidate] | RequestFault:
        """The candidates of one page: the links of the page without scripts, or the pictures in the data of its
        scripts.
        """
        contents = PageContents(scripts=True)
        html.parse_html(response.data, contents, time.monotonic() + html.MAX_SECONDS)
        contents.finish()
        found = [
            *islice(_from_links(contents), self.max_candidates),
            *islice(_from_scripts(contents.scripts or []), self.max_candidates),
        ]
        # After the first page, no results mean the end of the results.
        return found if found or self._seen_urls else RequestFault(reason=SCRIPTS_ONLY, status=response.status)


def _from_links(contents: PageContents) -> Iterator[Candidate]:
    """The candidates in links such as `<a href="/imgres?imgurl=...&imgrefurl=...">`."""
    links = (item for item in contents.items if isinstance(item, Link) and item.tag == "a")
    for link in links:
        query = _query_of(link.href) if link.href and "imgres?" in link.href else {}
        address, page = normalize_url(query.get("imgurl", [""])[0]), normalize_url(query.get("imgrefurl", [""])[0])
        if host_of(address):
            title = link.text if link.alt is None else link.alt
            yield Candidate(url=address, fetch_url=address, page=page if host_of(page) else "", title=title)


def _query_of(href: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(href).query)
    except ValueError:
        return {}


def _from_scripts(scripts: list[str]) -> Iterator[Candidate]:
    """The candidates in the data of the scripts, without Google's own thumbnails."""
    for script in scripts:
        for literal in IMAGE_TRIPLE.finditer(script):
            try:
                address = normalize_url(json.loads(literal[1]))
                is_own = (urlsplit(address).hostname or "").endswith(OWN_DOMAINS)
            except ValueError:
                continue
            if not is_own:
                yield Candidate(url=address, fetch_url=address)
