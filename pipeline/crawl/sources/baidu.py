"""Baidu's picture search: JSON with each picture's address, in a simple cipher of Baidu's own, its page and title."""

import json
import re
from typing import Any
from urllib.parse import urlencode

from bs4 import BeautifulSoup

from pipeline.crawl.address import host_of, tidy
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.search import SearchSource

SEARCH = "https://image.baidu.com/search/acjson"
STEP = 30  # results that a page is asked for
SIGNS = {"_z2C$q": ":", "_z&e3B": ".", "AzdH3F": "/"}
LETTERS = str.maketrans("0123456789abcdefghijklmnopqrstuvw", "7dgjmoru140852vsnkheb963wtqplifca")
STRAY_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])")  # Baidu escapes quotation marks that JSON does not let it


class BaiduSource(SearchSource):
    """What Baidu finds for one query."""

    engine = "baidu"
    referer = "https://image.baidu.com/"

    def page_from(self, count: int) -> str:
        """The address of the page that follows on `count` results."""
        asked = {"tn": "resultjson_com", "ipn": "rj", "ie": "utf-8", "oe": "utf-8", "word": self.query}
        return f"{SEARCH}?{urlencode({**asked, 'pn': count, 'rn': STEP})}"

    def results(self, body: Body) -> list[Candidate] | Fault:
        """What one page shows; what is not understood is left out."""
        try:
            answer = json.loads(STRAY_ESCAPE.sub("", body.data.decode("utf-8", "replace")), strict=False)
            rows = answer.get("data")
        except (ValueError, AttributeError):
            return Fault(reason="not an answer of Baidu's picture search", status=body.status)
        if answer.get("antiFlag") or not isinstance(rows, list):
            return Fault(reason=f"Baidu refuses: {answer.get('message') or 'no results'}", status=body.status)
        found = [_candidate(row) for row in rows if isinstance(row, dict)]
        return [candidate for candidate in found if host_of(candidate.url)]


def plain(cipher: str) -> str:
    """An address as Baidu writes it, `ippr_z2C$qAzdH3F...`, as it is; one that is written plainly stays."""
    if host_of(cipher):
        return cipher
    signs = re.compile("|".join(map(re.escape, SIGNS)))
    parts = re.split(f"({signs.pattern})", cipher)
    return "".join(SIGNS.get(part) or part.translate(LETTERS) for part in parts)


def _candidate(row: dict[str, Any]) -> Candidate:
    """One result. The original comes first; Baidu's own copies of it only where that is not told."""
    original = next((each for each in _dicts(row.get("replaceUrl"))), {})
    address = plain(_text(row, "objURL") or _text(original, "ObjURL")) or _text(
        row, "hoverURL", "middleURL", "thumbURL"
    )
    page = plain(_text(row, "fromURL") or _text(original, "FromURL"))
    title = BeautifulSoup(_text(row, "fromPageTitleEnc", "fromPageTitle"), "lxml").get_text().strip()
    return Candidate(url=tidy(address), address=tidy(address), page=tidy(page) if host_of(page) else "", title=title)


def _text(row: dict[str, Any], *names: str) -> str:
    """The first of the fields `names` that holds text."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
