"""Read an HTML page as a stream, in bounded time and memory, whatever the page holds.

A tree of a 10 MB page takes gigabytes, and tags that are never closed make the work grow with their square. So libxml2
reports each tag as it comes, and a handler keeps only what it needs. The encoding is detected in one pass.
"""

import codecs
import time
from typing import Protocol

from bs4.dammit import EncodingDetector
from lxml import etree

SECONDS = 5.0  # for one page; a page of 1 MB takes a fifth of one
ELEMENTS = 300_000  # of one page; those that people read have some thousands
DEPTH = 5_000  # of elements within each other: each end tag that fits to none costs a look at all of them
PIECE = 1 << 14  # bytes between two looks at the clock


class Handler(Protocol):
    """Takes in what a page consists of. `enough` says, once it is not empty, why no more is wanted."""

    enough: str

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends; none is told of when the page is cut."""

    def text(self, text: str) -> None:
        """Text, in pieces."""


def stream(data: bytes, handler: Handler, deadline: float) -> str:
    """Tell `handler` of all of the page `data`, up to the `deadline` on the monotonic clock.

    Returns why the page was cut, or an empty string. A page that is broken is read as browsers read it.
    """
    target = _Target(handler)
    parser = etree.HTMLParser(target=target, encoding="utf-8")
    decoder = codecs.getincrementaldecoder(encoding_of(data))("replace")
    try:
        for start in range(0, len(data), PIECE):
            text = decoder.decode(data[start : start + PIECE], start + PIECE >= len(data))
            parser.feed(text.removeprefix("\ufeff").encode("utf-8", "replace"))
            if target.cut or time.monotonic() > deadline:
                return target.cut or f"it took more than {SECONDS:g} s"
        if data:
            parser.close()
    except etree.ParserError:  # of a page without any element
        pass
    return target.cut


class _Target:
    """What lxml calls."""

    def __init__(self, handler: Handler) -> None:
        self.cut = ""
        self._handler = handler
        self._elements = self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > ELEMENTS:
            self.cut = self.cut or f"more than {ELEMENTS:,} elements"
        elif self._depth > DEPTH:
            self.cut = self.cut or f"more than {DEPTH:,} elements within each other"
        if not self.cut:
            self._handler.start(tag, attributes)
            self.cut = self._handler.enough

    def end(self, tag: str) -> None:
        self._depth -= 1
        if not self.cut:
            self._handler.end(tag)

    def data(self, text: str) -> None:
        if not self.cut:
            self._handler.text(text)

    def comment(self, text: str) -> None:
        if not self.cut:
            self._handler.end("")  # it parts texts, as a tag does

    def close(self) -> None:
        pass


HEAD = 2048  # bytes in which a page declares its encoding; the HTML standard looks at 1024
SAMPLE = 4096  # bytes from which an encoding is guessed
FALLBACK = "cp1252"  # what browsers take for the West, and for what calls itself ASCII or Latin-1

# The encodings of the web (https://encoding.spec.whatwg.org) by Python's names. Python has others, which a page must
# not choose: some run programs of bytes (unicode_escape), unpack them (zip) or take quadratic time (punycode).
_OF_THE_WEB = {
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
        *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc-jp", "iso2022-jp", "shift-jis", "cp932", "euc-kr"),
        *("cp949", "cp866", "cp874", "tis-620", *(f"cp{number}" for number in range(1250, 1259))),
        *(f"iso8859-{number}" for number in range(2, 17) if number != 12),
    )
}
_WEST = {codecs.lookup(name).name for name in ("ascii", "latin-1")}


def encoding_of(data: bytes) -> str:
    """Python's name of the encoding of the page `data`: of its mark or its declaration, else UTF-8 or a guess."""
    _, marked = EncodingDetector.strip_byte_order_mark(data[:4])
    declared = _known(_declared(data[:HEAD]))
    if declared.startswith("utf-16"):  # a declaration that is read as ASCII is none of UTF-16
        declared = "utf-8"
    return _known(marked) or declared or ("utf-8" if _is_utf8(data) else _guessed(data))


def _declared(head: bytes) -> str:
    """The encoding in `<?xml encoding="...">` or the first `<meta charset=...>` that has one."""
    text = head.lower()
    if text.startswith(b"<?xml"):
        return _value(text.partition(b"?>")[0].partition(b"encoding")[2])
    for part in text.split(b"<meta")[1:]:
        if name := _value(part.partition(b">")[0].partition(b"charset")[2]):
            return name
    return ""


def _value(text: bytes) -> str:
    """`utf-8` of `= "utf-8" ...`."""
    sign, rest = text.lstrip()[:1], text.lstrip()[1:].lstrip().lstrip(b"\"'")
    words = rest.translate(bytes.maketrans(b"\"'/;", b"    ")).split()
    return words[0].decode("latin-1") if sign == b"=" and words else ""


def _known(name: str | None) -> str:
    """Python's name of an encoding of the web; empty for any other."""
    try:
        found = codecs.lookup(name or "").name
    except (LookupError, ValueError):
        return ""
    if found in ("utf-16-le", "utf-16-be", "utf-16"):
        return found
    return FALLBACK if found in _WEST else found if found in _OF_THE_WEB else ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guessed(data: bytes) -> str:
    """The encoding of the first bytes that are not ASCII, as Beautiful Soup guesses it."""
    first = len(data) - len(data.lstrip(bytes(range(128))))
    names = EncodingDetector(data[first : first + SAMPLE]).encodings
    return next((known for name in names if name != "utf-8" and (known := _known(name))), FALLBACK)
