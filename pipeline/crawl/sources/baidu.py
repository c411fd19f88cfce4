"""Baidu's picture search: JSON with each picture's address, in a simple cipher of Baidu's own, its page and title."""

import codecs
import json
import re
import time
from typing import Any
from urllib.parse import urlencode

from pipeline.crawl import html
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources.base import SearchSource
from pipeline.crawl.url import host_of, normalize_url

SEARCH = "https://image.baidu.com/search/acjson"
STEP = 30  # results that a page is asked for
LONGEST_TITLE = 2_000  # characters, tags included
SIGNS = {"_z2C$q": ":", "_z&e3B": ".", "AzdH3F": "/"}
SIGN = re.compile(f"({'|'.join(map(re.escape, SIGNS))})")
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

    def results(self, body: Response) -> list[Candidate] | Fault:
        """What one page shows; what is not understood is left out."""
        try:
            answer = json.loads(STRAY_ESCAPE.sub("", body.data.decode("utf-8", "replace")), strict=False)
            rows = answer.get("data")
        except (ValueError, AttributeError, RecursionError):
            return Fault(reason="not an answer of Baidu's picture search", status=body.status)
        if answer.get("antiFlag") or not isinstance(rows, list):
            return Fault(reason=f"Baidu refuses: {_text(answer, 'message') or 'no results'}", status=body.status)
        found = [_candidate(row) for row in rows[: self.most] if isinstance(row, dict)]
        return [candidate for candidate in found if host_of(candidate.url)]


def plain(cipher: str) -> str:
    """An address as Baidu writes it, `ippr_z2C$qAzdH3F...`, as it is; one that is written plainly stays."""
    if host_of(cipher):
        return cipher
    return "".join(SIGNS.get(part) or part.translate(LETTERS) for part in SIGN.split(cipher))


def _candidate(row: dict[str, Any]) -> Candidate:
    """One result. The original comes first; Baidu's own copies of it only where that is not told."""
    original = next((each for each in _dicts(row.get("replaceUrl"))), {})
    address = plain(_text(row, "objURL") or _text(original, "ObjURL")) or _text(
        row, "hoverURL", "middleURL", "thumbURL"
    )
    page = plain(_text(row, "fromURL") or _text(original, "FromURL"))
    title = _without_tags(_text(row, "fromPageTitleEnc", "fromPageTitle"))
    return Candidate(
        url=normalize_url(address),
        address=normalize_url(address),
        page=normalize_url(page) if host_of(page) else "",
        title=title,
    )


class _Words:
    """A handler that keeps the text alone."""

    def __init__(self) -> None:
        self.enough = ""
        self.parts: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Tags say nothing here."""

    def end(self, tag: str) -> None:
        """Nor do their ends."""

    def text(self, text: str) -> None:
        """Keep it."""
        self.parts.append(text)


def _without_tags(markup: str) -> str:
    words = _Words()
    data = codecs.BOM_UTF8 + markup[:LONGEST_TITLE].encode("utf-8", "replace")
    html.stream(data, words, time.monotonic() + html.SECONDS)
    return "".join(words.parts).strip()


def _text(row: dict[str, Any], *names: str) -> str:
    """The first of the fields `names` that holds text."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
