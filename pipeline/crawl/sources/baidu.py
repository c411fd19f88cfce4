"""Baidu's image search: JSON results; picture and page URLs are encoded with a substitution cipher."""

import codecs
import json
import re
import time
from typing import Any
from urllib.parse import urlencode

from pipeline.crawl import html
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources.base import SearchSource
from pipeline.crawl.url import host_of, normalize_url

SEARCH = "https://image.baidu.com/search/acjson"
RESULTS_PER_PAGE = 30
MAX_TITLE_LENGTH = 2_000  # characters, tags included
CIPHER_SIGNS = {"_z2C$q": ":", "_z&e3B": ".", "AzdH3F": "/"}
CIPHER_SIGN_PATTERN = re.compile(f"({'|'.join(map(re.escape, CIPHER_SIGNS))})")
CIPHER_LETTERS = str.maketrans("0123456789abcdefghijklmnopqrstuvw", "7dgjmoru140852vsnkheb963wtqplifca")
STRAY_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])")  # Baidu escapes characters that JSON does not allow to be escaped


class BaiduSource(SearchSource):
    """Baidu's results for one query."""

    engine = "baidu"
    referer = "https://image.baidu.com/"

    def results_url(self, count: int) -> str:
        """The URL of the page of results after the first `count`."""
        query = {"tn": "resultjson_com", "ipn": "rj", "ie": "utf-8", "oe": "utf-8", "word": self.query}
        return f"{SEARCH}?{urlencode({**query, 'pn': count, 'rn': RESULTS_PER_PAGE})}"

    def results(self, response: Response) -> list[Candidate] | RequestFault:
        """The candidates of one page of results; results that cannot be parsed are omitted."""
        try:
            payload = json.loads(STRAY_ESCAPE.sub("", response.data.decode("utf-8", "replace")), strict=False)
            rows = payload.get("data")
        except (ValueError, AttributeError, RecursionError):
            return RequestFault(reason="not an answer of Baidu's picture search", status=response.status)
        if payload.get("antiFlag") or not isinstance(rows, list):
            return RequestFault(
                reason=f"Baidu refuses: {_text(payload, 'message') or 'no results'}", status=response.status
            )
        found = [_candidate(row) for row in rows[: self.max_candidates] if isinstance(row, dict)]
        return [candidate for candidate in found if host_of(candidate.url)]


def decipher(cipher: str) -> str:
    """Decode a URL in Baidu's cipher, `ippr_z2C$qAzdH3F...`; a plain URL stays unchanged."""
    if host_of(cipher):
        return cipher
    return "".join(
        CIPHER_SIGNS.get(part) or part.translate(CIPHER_LETTERS) for part in CIPHER_SIGN_PATTERN.split(cipher)
    )


def _candidate(row: dict[str, Any]) -> Candidate:
    """The candidate of one result: the original picture, or Baidu's copy if the original is not given."""
    original = next((each for each in _list_of_dicts(row.get("replaceUrl"))), {})
    address = decipher(_text(row, "objURL") or _text(original, "ObjURL")) or _text(
        row, "hoverURL", "middleURL", "thumbURL"
    )
    page = decipher(_text(row, "fromURL") or _text(original, "FromURL"))
    title = _without_tags(_text(row, "fromPageTitleEnc", "fromPageTitle"))
    return Candidate(
        url=normalize_url(address),
        fetch_url=normalize_url(address),
        page=normalize_url(page) if host_of(page) else "",
        title=title,
    )


class _TextHandler:
    """A handler that collects text."""

    def __init__(self) -> None:
        self.stop_reason = ""
        self.parts: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Ignore tags."""

    def end(self, tag: str) -> None:
        """Ignore tags."""

    def text(self, text: str) -> None:
        """Collect the text."""
        self.parts.append(text)


def _without_tags(markup: str) -> str:
    handler = _TextHandler()
    data = codecs.BOM_UTF8 + markup[:MAX_TITLE_LENGTH].encode("utf-8", "replace")
    html.parse_html(data, handler, time.monotonic() + html.MAX_SECONDS)
    return "".join(handler.parts).strip()


def _text(row: dict[str, Any], *names: str) -> str:
    """The first of the fields `names` that contains text."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")


def _list_of_dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
