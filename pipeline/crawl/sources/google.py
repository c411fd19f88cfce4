"""Google's picture search: what it shows to clients without scripts, and a clear word when that is nothing.

Since 2025 it answers most automated clients with a page of scripts alone, and no parser helps against that.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

from bs4 import BeautifulSoup

from pipeline.crawl.address import host_of, tidy
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.search import SearchSource

SEARCH = "https://www.google.com/search"
SCRIPTS_ONLY = "Google answers automated clients with scripts only; use bing, openverse or baidu"
# In the data of its scripts: ["https://...", height, width]
TRIPLE = re.compile(r'\[("https?://(?:[^"\\]|\\.)+"),\s*\d+,\s*\d+\]')
ITS_OWN = ("gstatic.com", "google.com", "googleusercontent.com", "ggpht.com")


class GoogleSource(SearchSource):
    """What Google finds for one query, as far as it says so."""

    engine = "google"

    def page_from(self, count: int) -> str:
        """The address of the page that follows on `count` results."""
        return f"{SEARCH}?{urlencode({'q': self.query, 'tbm': 'isch', 'start': count})}"

    def results(self, body: Body) -> list[Candidate] | Fault:
        """What one page shows: the links of the plain page, or what the data of its scripts names."""
        soup = BeautifulSoup(body.data, "lxml")
        found = [*_linked(soup), *_named(soup)]
        # After the first page it is the end of the results that shows nothing.
        return found if found or self._found else Fault(reason=SCRIPTS_ONLY, status=body.status)


def _linked(soup: BeautifulSoup) -> Iterator[Candidate]:
    """`<a href="/imgres?imgurl=...&imgrefurl=...">` of the page for clients without scripts."""
    for tag in soup.select('a[href*="imgres?"]'):
        asked = parse_qs(urlsplit(tag["href"]).query)
        address = asked.get("imgurl", [""])[0]
        if host_of(address):
            page = tidy(asked.get("imgrefurl", [""])[0])
            inside = tag.find("img", alt=True)
            title = inside["alt"] if inside else tag.get_text(" ", strip=True)
            yield Candidate(url=tidy(address), address=tidy(address), page=page, title=title)


def _named(soup: BeautifulSoup) -> Iterator[Candidate]:
    """The addresses in the data of the scripts, without Google's own thumbnails."""
    for script in soup.find_all("script"):
        for literal in TRIPLE.findall(script.get_text()):
            try:
                address = tidy(json.loads(literal))
            except ValueError:
                continue
            if not (urlsplit(address).hostname or "").endswith(ITS_OWN):
                yield Candidate(url=address, address=address)
