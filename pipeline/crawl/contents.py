"""What a page of HTML holds for a crawl: its links, its pictures and what it says of them."""

from dataclasses import dataclass

from pipeline.crawl.address import shortened
from pipeline.crawl.outcome import LONGEST_WORDS

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
            wanted = bool(self._open) or (self._in_title and len(self.heading) < LONGEST_WORDS)
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
            self.heading += text.strip()[:LONGEST_WORDS]
        if self._open and (words := text.strip()[:LONGEST_WORDS]):
            self._words.append(words)


def _address(href: str) -> str:
    """An address as far as it is of use: what stands in the page itself is none on the web."""
    return "" if href[:16].lstrip().lower().startswith("data:") else shortened(href)


def _is_license(rel: str) -> bool:
    return "license" in rel.split()
