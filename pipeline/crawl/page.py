"""The links, pictures and metadata of an HTML page, collected by a handler of `html.parse_html`.

`srcset` is parsed by the algorithm of the HTML standard (4.8.4.3.9), in linear time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.crawl.outcome import MAX_TEXT_LENGTH
from pipeline.crawl.url import shorten_url

MAX_ITEMS = 30_000  # links and pictures of one page
UNREAD_ELEMENTS = ("script", "style", "template")  # their text is not shown
MAX_SRCSET_LENGTH = 100_000  # characters; the rest is ignored
_SPACE = " \t\n\f\r"
_FLOAT = set("0123456789.eE+-")


@dataclass(kw_only=True)
class Link:
    """An `a` or `area` element. `alt` is the alternative text of the first picture in it, None if it contains none."""

    tag: str
    href: str | None
    title: str
    enclosing: "Link | None"  # the link itself if it has an href, else the nearest link around it
    alt: str | None = None
    text: str = ""
    words_before: int = 0  # texts, and below alternative texts, that were collected before it began
    alts_before: int = 0


@dataclass(kw_only=True)
class Image:
    """An `img` element and the link around it."""

    srcset: str
    src: str
    title: str
    link: Link | None


class PageContents:
    """A handler that collects the links and pictures of a page in document order, and its scripts if requested."""

    def __init__(self, *, scripts: bool = False) -> None:
        self.stop_reason = ""
        self.items: list[Link | Image] = []
        self.base: str | None = None
        self.license: str | None = None
        self.author: str | None = None
        self.robots: list[str] = []
        self.title: str | None = None
        self.scripts: list[str] | None = [] if scripts else None
        self._open_links: list[Link] = []
        self._open_words: list[str] = []  # texts within the open links
        self._open_alts: list[str] = []
        self._text: list[str] = []  # since the last tag
        self._unread_depth = 0
        self._in_title = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        self._flush_text()
        if tag in UNREAD_ELEMENTS:
            self._unread_depth += 1
        elif tag in ("a", "area"):
            self._link(tag, attributes)
        elif tag == "img":
            self._image(attributes)
        elif tag == "title" and self.title is None:
            self._in_title, self.title = True, ""
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and "content" in attributes:
            self._meta(attributes.get("name", ""), attributes["content"])
        if tag in ("a", "link") and self.license is None and _is_license(attributes.get("rel", "")):
            self.license = attributes.get("href")
        if len(self.items) >= MAX_ITEMS:
            self.stop_reason = f"more than {MAX_ITEMS:,} pictures and links"

    def end(self, tag: str) -> None:
        """Handle the end of an element."""
        self._flush_text(script=tag == "script")
        if tag in UNREAD_ELEMENTS:
            self._unread_depth -= 1
        elif tag == "a" and self._open_links:
            self._close_link(self._open_links.pop())
        elif tag == "title":
            self._in_title = False

    def text(self, text: str) -> None:
        """Handle text within a link, the title or, if requested, a script."""
        if self._unread_depth:
            is_read = self.scripts is not None
        else:
            is_read = bool(self._open_links) or (self._in_title and len(self.title or "") < MAX_TEXT_LENGTH)
        if is_read:
            self._text.append(text)

    def finish(self) -> None:
        """Close the links that are still open when parsing stops."""
        self._flush_text()
        while self._open_links:
            self._close_link(self._open_links.pop())

    def _link(self, tag: str, attributes: dict[str, str]) -> None:
        href = attributes.get("href")
        link = Link(
            tag=tag,
            href=None if href is None else _usable_url(href),
            title=attributes.get("title", "")[:MAX_TEXT_LENGTH],
            enclosing=None,
            words_before=len(self._open_words),
            alts_before=len(self._open_alts),
        )
        link.enclosing = link if href is not None else self._enclosing_link()
        self.items.append(link)
        if tag == "a":
            self._open_links.append(link)

    def _image(self, attributes: dict[str, str]) -> None:
        if "alt" in attributes and self._open_links:
            self._open_alts.append(attributes["alt"][:MAX_TEXT_LENGTH])
        title = (attributes.get("alt") or attributes.get("title") or "")[:MAX_TEXT_LENGTH].strip()
        src = _usable_url(attributes.get("data-src") or attributes.get("src", ""))
        srcset = attributes.get("srcset", "")
        self.items.append(Image(srcset=srcset, src=src, title=title, link=self._enclosing_link()))

    def _meta(self, name: str, content: str) -> None:
        if name.strip().lower() == "robots":
            self.robots.append(content)
        elif name == "author" and self.author is None:
            self.author = content[:MAX_TEXT_LENGTH]

    def _enclosing_link(self) -> Link | None:
        return self._open_links[-1].enclosing if self._open_links else None

    def _close_link(self, link: Link) -> None:
        """Set the text of a link, cut to `MAX_TEXT_LENGTH`, so that nested links stay cheap."""
        link.alt = self._open_alts[link.alts_before] if len(self._open_alts) > link.alts_before else None
        link.text = " ".join(self._open_words[link.words_before : link.words_before + MAX_TEXT_LENGTH])[
            :MAX_TEXT_LENGTH
        ]
        if not self._open_links:
            self._open_words.clear()
            self._open_alts.clear()

    def _flush_text(self, *, script: bool = False) -> None:
        """Assign the text since the last tag to the open script, title or link."""
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        if self._unread_depth:
            if script and self.scripts is not None:
                self.scripts.append(text)
            return
        if self._in_title:
            self.title = (self.title or "") + text.strip()[:MAX_TEXT_LENGTH]
        if self._open_links and (words := text.strip()[:MAX_TEXT_LENGTH]):
            self._open_words.append(words)


def largest_in_srcset(srcset: str) -> str:
    """The URL of the largest picture in `small.jpg 320w, large.jpg 1280w`; empty if there is none."""
    return max(_candidates(srcset), key=lambda candidate: candidate[1], default=("", 0.0))[0]


def _usable_url(href: str) -> str:
    """The URL, shortened if it is too long; empty for a `data:` URL, whose content is in the page itself."""
    return "" if href[:16].lstrip().lower().startswith("data:") else shorten_url(href)


def _is_license(rel: str) -> bool:
    return "license" in rel.split()


def _candidates(text: str) -> Iterator[tuple[str, float]]:
    """Yield each URL with its width or density; URLs with invalid descriptors are omitted."""
    position, end = 0, min(len(text), MAX_SRCSET_LENGTH)
    while position < end:
        if text[position] in _SPACE or text[position] == ",":
            position += 1
            continue
        start = position
        while position < end and text[position] not in _SPACE:
            position += 1
        address = text[start:position]
        if address.endswith(","):
            size: float | None = 1.0
        else:
            words, position = _descriptors(text, position, end)
            size = _size_of(words)
        if size is not None and not position >= end < len(text):  # the last URL before the cut may be incomplete
            yield address.rstrip(","), size


def _descriptors(text: str, position: int, end: int) -> tuple[list[str], int]:
    """The descriptors from `position` to the next comma outside parentheses, and the position of that comma."""
    words, word, inside = [], position, False
    while position < end and (inside or text[position] != ","):
        letter = text[position]
        inside = letter == "(" or (inside and letter != ")")
        if letter in _SPACE and not inside:
            words.append(text[word:position])
            word = position + 1
        position += 1
    return [each for each in [*words, text[word:position]] if each], position


def _size_of(words: list[str]) -> float | None:
    """The width or density in the descriptors, 1 if there are none; None if any descriptor is invalid."""
    found: dict[str, float] = {}
    for word in words:
        number, unit = _number(word[:-1], word[-1]), word[-1]
        if number is None or unit in found:
            return None
        found[unit] = number
    if "x" in found:
        return found["x"] if len(found) == 1 else None
    return found.get("w", None if found else 1.0)


def _number(text: str, unit: str) -> float | None:
    if unit in "wh":  # positive integers; no picture is a million pixels wide
        valid = text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0
        return float(text) if valid else None
    if unit != "x" or not text or len(text) > 20 or not set(text) <= _FLOAT or text[0] == "+":
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None
