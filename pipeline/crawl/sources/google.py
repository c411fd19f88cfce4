"""Google's picture search: what it shows to clients without scripts, and a clear word when that is nothing.

Since 2025 it answers most automated clients with a page of scripts alone, and no parser helps against that.
"""

import json
import re
import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import parse_qs, urlencode, urlsplit

from pipeline.crawl import html
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.page import Contents, Link
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources.base import SearchSource
from pipeline.crawl.url import host_of, normalize_url

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

    def results(self, body: Response) -> list[Candidate] | Fault:
        """What one page shows: the links of the plain page, or what the data of its scripts names."""
        contents = Contents(scripts=True)
        html.stream(body.data, contents, time.monotonic() + html.SECONDS)
        contents.finish()
        found = [*islice(_linked(contents), self.most), *islice(_named(contents.scripts or []), self.most)]
        # After the first page it is the end of the results that shows nothing.
        return found if found or self._found else Fault(reason=SCRIPTS_ONLY, status=body.status)


def _linked(contents: Contents) -> Iterator[Candidate]:
    """`<a href="/imgres?imgurl=...&imgrefurl=...">` of the page for clients without scripts."""
    links = (item for item in contents.items if isinstance(item, Link) and item.tag == "a")
    for link in links:
        asked = _asked(link.href) if link.href and "imgres?" in link.href else {}
        address, page = normalize_url(asked.get("imgurl", [""])[0]), normalize_url(asked.get("imgrefurl", [""])[0])
        if host_of(address):
            title = link.text if link.alt is None else link.alt
            yield Candidate(url=address, address=address, page=page if host_of(page) else "", title=title)


def _asked(href: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(href).query)
    except ValueError:
        return {}


def _named(scripts: list[str]) -> Iterator[Candidate]:
    """The addresses in the data of the scripts, without Google's own thumbnails."""
    for script in scripts:
        for literal in TRIPLE.finditer(script):
            try:
                address = normalize_url(json.loads(literal[1]))
                own = (urlsplit(address).hostname or "").endswith(ITS_OWN)
            except ValueError:
                continue
            if not own:
                yield Candidate(url=address, address=address)
