"""A page of HTML read as a stream: in bounded time and memory, whoever wrote it.

A tree of a page of 10 MB takes gigabytes, and tags that are never closed make work that grows with their square. So
libxml2 tells of each tag as it comes, and a handler keeps what it is after.
"""

import codecs
import time
from typing import Protocol

from lxml import etree

from pipeline.crawl.charset import encoding_of

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
