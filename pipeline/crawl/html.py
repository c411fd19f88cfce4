"""Parse an HTML page as a stream, in bounded time and memory, regardless of its content.

A tree of a 10 MB page takes gigabytes, and tags that are never closed make the time grow quadratically. So libxml2
reports each tag as an event, and a handler keeps only what it needs. The encoding is detected in one pass.
"""

import codecs
import time
from typing import Protocol

from bs4.dammit import EncodingDetector
from lxml import etree

MAX_SECONDS = 5.0  # for one page; a page of 1 MB takes about 0.2 s
MAX_ELEMENTS = 300_000  # of one page; ordinary pages have some thousands
MAX_DEPTH = 5_000  # of nested elements: an end tag without a start tag is compared with all open elements
CHUNK_BYTES = 1 << 14  # parsed between two checks of the deadline
DECLARATION_BYTES = 2048  # searched for a declaration of the encoding; the HTML standard requires 1024
GUESS_BYTES = 4096  # from which an encoding is guessed
FALLBACK_ENCODING = "cp1252"  # as in browsers, which also use it for pages declared as ASCII or Latin-1


class Handler(Protocol):
    """Receives the events of a page. A `stop_reason` that is not empty stops the parser and says why."""

    stop_reason: str

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""

    def end(self, tag: str) -> None:
        """Handle the end of an element; not called for elements that are open when parsing stops early."""

    def text(self, text: str) -> None:
        """Handle a piece of text."""


def parse_html(data: bytes, handler: Handler, deadline: float) -> str:
    """Parse the page `data` and pass its events to `handler`, until the `deadline` (seconds, `time.monotonic`).

    Malformed HTML is repaired by libxml2.

    Returns:
        Why parsing stopped before the end of the page; empty if it did not.
    """
    target = _ParserTarget(handler)
    parser = etree.HTMLParser(target=target, encoding="utf-8")
    decoder = codecs.getincrementaldecoder(detect_encoding(data))("replace")
    try:
        for start in range(0, len(data), CHUNK_BYTES):
            text = decoder.decode(data[start : start + CHUNK_BYTES], start + CHUNK_BYTES >= len(data))
            parser.feed(text.removeprefix("\ufeff").encode("utf-8", "replace"))
            if target.cut_reason or time.monotonic() > deadline:
                return target.cut_reason or f"it took more than {MAX_SECONDS:g} s"
        if data:
            parser.close()
    except etree.ParserError:  # raised for a page without elements
        pass
    return target.cut_reason


def detect_encoding(data: bytes) -> str:
    """Detect the encoding of the page `data`: byte order mark, then declaration, then UTF-8 if it decodes, then a
    guess.

    Returns:
        Python's name of the encoding.
    """
    _, marked = EncodingDetector.strip_byte_order_mark(data[:4])
    declared = _web_encoding(_declared_encoding(data[:DECLARATION_BYTES]))
    if declared.startswith("utf-16"):  # a declaration that could be read as ASCII is not in UTF-16 (HTML standard)
        declared = "utf-8"
    return _web_encoding(marked) or declared or ("utf-8" if _is_utf8(data) else _guess(data))


class _ParserTarget:
    """The target object of lxml's parser (https://lxml.de/parsing.html#the-target-parser-interface)."""

    def __init__(self, handler: Handler) -> None:
        self.cut_reason = ""
        self._handler = handler
        self._elements = self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS:
            self.cut_reason = self.cut_reason or f"more than {MAX_ELEMENTS:,} elements"
        elif self._depth > MAX_DEPTH:
            self.cut_reason = self.cut_reason or f"more than {MAX_DEPTH:,} nested elements"
        if not self.cut_reason:
            self._handler.start(tag, attributes)
            self.cut_reason = self._handler.stop_reason

    def end(self, tag: str) -> None:
        self._depth -= 1
        if not self.cut_reason:
            self._handler.end(tag)

    def data(self, text: str) -> None:
        if not self.cut_reason:
            self._handler.text(text)

    def comment(self, text: str) -> None:
        if not self.cut_reason:
            self._handler.end("")  # a comment separates texts, as a tag does

    def close(self) -> None:
        pass


# The encodings of the Encoding standard (https://encoding.spec.whatwg.org) by Python's names. A page must not choose
# any other codec of Python: some evaluate escapes (unicode_escape), decompress (zip) or take quadratic time (punycode).
_WEB_ENCODINGS = {
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
        *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc-jp", "iso2022-jp", "shift-jis", "cp932", "euc-kr"),
        *("cp949", "cp866", "cp874", "tis-620", *(f"cp{number}" for number in range(1250, 1259))),
        *(f"iso8859-{number}" for number in range(2, 17) if number != 12),
    )
}
_WESTERN = {codecs.lookup(name).name for name in ("ascii", "latin-1")}


def _declared_encoding(head: bytes) -> str:
    """The encoding in `<?xml encoding="...">` or in the first `<meta charset=...>` that has one."""
    text = head.lower()
    if text.startswith(b"<?xml"):
        return _attribute_value(text.partition(b"?>")[0].partition(b"encoding")[2])
    for part in text.split(b"<meta")[1:]:
        if name := _attribute_value(part.partition(b">")[0].partition(b"charset")[2]):
            return name
    return ""


def _attribute_value(text: bytes) -> str:
    """The value in the text after an attribute's name: `utf-8` for `= "utf-8" ...`."""
    sign, rest = text.lstrip()[:1], text.lstrip()[1:].lstrip().lstrip(b"\"'")
    words = rest.translate(bytes.maketrans(b"\"'/;", b"    ")).split()
    return words[0].decode("latin-1") if sign == b"=" and words else ""


def _web_encoding(name: str | None) -> str:
    """Python's name of an encoding of the Encoding standard; empty for any other name."""
    try:
        encoding = codecs.lookup(name or "").name
    except (LookupError, ValueError):
        return ""
    if encoding in ("utf-16-le", "utf-16-be", "utf-16"):
        return encoding
    return FALLBACK_ENCODING if encoding in _WESTERN else encoding if encoding in _WEB_ENCODINGS else ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes) -> str:
    """The encoding that Beautiful Soup guesses from the first bytes that are not ASCII."""
    first = len(data) - len(data.lstrip(bytes(range(128))))
    names = EncodingDetector(data[first : first + GUESS_BYTES]).encodings
    return next(
        (encoding for name in names if name != "utf-8" and (encoding := _web_encoding(name))), FALLBACK_ENCODING
    )
