"""What an HTML page holds for a crawl: its links, its pictures, and what it says about them.

`srcset` is parsed by the steps of the HTML standard (4.8.4.3.9), in linear time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.crawl.outcome import LONGEST_WORDS
from pipeline.crawl.url import shorten_url

ITEMS = 30_000  # links and pictures of one page
SILENT = ("script", "style", "template")  # elements whose text nobody reads


@dataclass(kw_only=True)
class Link:
    """An `a` or `area`. `alt` is of the first picture in it, None without one; `tip` is its title; `text` its words."""

    tag: str
    href: str | None
    tip: str
    around: "Link | None"  # the nearest link that it stands in, itself if it has an address
    alt: str | None = None
    text: str = ""
    words: int = 0  # how many words, and below how many texts of pictures, were open when it began
    alts: int = 0


@dataclass(kw_only=True)
class Image:
    """An `img`, and the link that it stands in."""

    srcset: str
    source: str
    title: str
    within: Link | None


class Contents:
    """A handler that keeps the links and pictures of a page, in their order. `scripts` are kept if asked for."""

    def __init__(self, *, scripts: bool = False) -> None:
        self.enough = ""
        self.items: list[Link | Image] = []
        self.base: str | None = None
        self.license: str | None = None
        self.author: str | None = None
        self.robots: list[str] = []
        self.heading: str | None = None
        self.scripts: list[str] | None = [] if scripts else None
        self._open: list[Link] = []
        self._words: list[str] = []  # within the links that are open
        self._alts: list[str] = []
        self._text: list[str] = []  # since the last tag
        self._silent = 0
        self._in_title = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in an element."""
        self._flush()
        if tag in SILENT:
            self._silent += 1
        elif tag in ("a", "area"):
            self._link(tag, attributes)
        elif tag == "img":
            self._image(attributes)
        elif tag == "title" and self.heading is None:
            self._in_title, self.heading = True, ""
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and "content" in attributes:
            self._meta(attributes.get("name", ""), attributes["content"])
        if tag in ("a", "link") and self.license is None and _is_license(attributes.get("rel", "")):
            self.license = attributes.get("href")
        if len(self.items) >= ITEMS:
            self.enough = f"more than {ITEMS:,} pictures and links"

    def end(self, tag: str) -> None:
        """Close an element."""
        self._flush(script=tag == "script")
        if tag in SILENT:
            self._silent -= 1
        elif tag == "a" and self._open:
            self._close(self._open.pop())
        elif tag == "title":
            self._in_title = False

    def text(self, text: str) -> None:
        """Take in text, as far as it is somebody's."""
        if self._silent:
            wanted = self.scripts is not None
        else:
            wanted = bool(self._open) or (self._in_title and len(self.heading or "") < LONGEST_WORDS)
        if wanted:
            self._text.append(text)

    def finish(self) -> None:
        """Close what was left open when the page was cut."""
        self._flush()
        while self._open:
            self._close(self._open.pop())

    def _link(self, tag: str, attributes: dict[str, str]) -> None:
        href = attributes.get("href")
        link = Link(
            tag=tag,
            href=None if href is None else _address(href),
            tip=attributes.get("title", "")[:LONGEST_WORDS],
            around=None,
            words=len(self._words),
            alts=len(self._alts),
        )
        link.around = link if href is not None else self._around()
        self.items.append(link)
        if tag == "a":
            self._open.append(link)

    def _image(self, attributes: dict[str, str]) -> None:
        if "alt" in attributes and self._open:
            self._alts.append(attributes["alt"][:LONGEST_WORDS])
        title = (attributes.get("alt") or attributes.get("title") or "")[:LONGEST_WORDS].strip()
        source = _address(attributes.get("data-src") or attributes.get("src", ""))
        srcset = attributes.get("srcset", "")
        self.items.append(Image(srcset=srcset, source=source, title=title, within=self._around()))

    def _meta(self, name: str, content: str) -> None:
        if name.strip().lower() == "robots":
            self.robots.append(content)
        elif name == "author" and self.author is None:
            self.author = content[:LONGEST_WORDS]

    def _around(self) -> Link | None:
        return self._open[-1].around if self._open else None

    def _close(self, link: Link) -> None:
        """Give a link its words: no more than a title has, so that links within links stay cheap."""
        link.alt = self._alts[link.alts] if len(self._alts) > link.alts else None
        link.text = " ".join(self._words[link.words : link.words + LONGEST_WORDS])[:LONGEST_WORDS]
        if not self._open:
            self._words.clear()
            self._alts.clear()

    def _flush(self, *, script: bool = False) -> None:
        """Give the text since the last tag to whom it belongs."""
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        if self._silent:
            if script and self.scripts is not None:
                self.scripts.append(text)
            return
        if self._in_title:
            self.heading = (self.heading or "") + text.strip()[:LONGEST_WORDS]
        if self._open and (words := text.strip()[:LONGEST_WORDS]):
            self._words.append(words)


def _address(href: str) -> str:
    """An address as far as it is of use: what stands in the page itself is none on the web."""
    return "" if href[:16].lstrip().lower().startswith("data:") else shorten_url(href)


def _is_license(rel: str) -> bool:
    return "license" in rel.split()


LONGEST = 100_000  # characters; what is beyond is left off
_SPACE = " \t\n\f\r"
_FLOAT = set("0123456789.eE+-")


def largest(srcset: str) -> str:
    """The address of the largest of `small.jpg 320w, large.jpg 1280w`; empty if there is none."""
    return max(_candidates(srcset), key=lambda candidate: candidate[1], default=("", 0.0))[0]


def _candidates(text: str) -> Iterator[tuple[str, float]]:
    """Each address with its width or density; those whose descriptors are wrong are left out."""
    at, end = 0, min(len(text), LONGEST)
    while at < end:
        if text[at] in _SPACE or text[at] == ",":
            at += 1
            continue
        start = at
        while at < end and text[at] not in _SPACE:
            at += 1
        address = text[start:at]
        if address.endswith(","):
            size: float | None = 1.0
        else:
            words, at = _descriptors(text, at, end)
            size = _size(words)
        if size is not None and not at >= end < len(text):  # the last one before the cut may be half of one
            yield address.rstrip(","), size


def _descriptors(text: str, at: int, end: int) -> tuple[list[str], int]:
    """The words from `at` up to a comma that stands in no parentheses, and where that is."""
    words, word, inside = [], at, False
    while at < end and (inside or text[at] != ","):
        letter = text[at]
        inside = letter == "(" or (inside and letter != ")")
        if letter in _SPACE and not inside:
            words.append(text[word:at])
            word = at + 1
        at += 1
    return [each for each in [*words, text[word:at]] if each], at


def _size(words: list[str]) -> float | None:
    """The width or density that descriptors give, 1 if there is none; None if any of them is wrong."""
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
    if unit in "wh":  # whole numbers above zero; no picture is a million pixels wide
        valid = text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0
        return float(text) if valid else None
    if unit != "x" or not text or len(text) > 20 or not set(text) <= _FLOAT or text[0] == "+":
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None
