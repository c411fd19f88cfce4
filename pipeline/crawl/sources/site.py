"""A web site: its pages are followed within the first one's host, and every picture that they show is taken."""

import re
import time
from urllib.parse import urlsplit

from pipeline.crawl import html, robots
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.page import Contents, Image, Link, largest
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources.base import Page, WebSource
from pipeline.crawl.url import LONGEST, absolute_url, authority, host_of
from pipeline.options import DownloadOptions

PICTURE = re.compile(r"\.(jpe?g|png|gif|webp|bmp|tiff?)$", re.IGNORECASE)


class SiteSource(WebSource):
    """All pages that links lead to from the first one, breadth first, without leaving its host."""

    engine = "site"
    crawls_pages = True

    def __init__(self, options: DownloadOptions, first: str) -> None:
        super().__init__(options)
        self.first = first
        self._host = ""

    @property
    def topic(self) -> str:
        """The first page."""
        return self.first

    def start(self) -> str:
        """The page that the user named."""
        return self.first

    def parse(self, body: Response, address: str) -> Page | Fault:
        """The pictures and the links of one page, in the order of the text, unless it keeps them from such use."""
        here = host_of(body.url)
        self._host = self._host or here  # of the first page, after redirects: example.org may be www.example.org
        if here != self._host:
            return Page(candidates=[], links=[])
        contents = Contents()
        cut = html.stream(body.data, contents, time.monotonic() + html.SECONDS)
        contents.finish()
        if word := robots.refusal(contents.robots, "") if self.options.robots else "":
            return Fault(reason=f"meta robots: {word}", outcome="rejected", status=body.status)
        shown = Shown(root_of(body.url, contents.base), most=self.most)
        cut = shown.fill(contents, time.monotonic() + html.SECONDS) or cut
        pages = [link for link in shown.links if host_of(link) == self._host and not is_picture(link)]
        return Page(candidates=self._candidates(shown, contents, body.url), links=pages, cut=cut)

    def _candidates(self, shown: "Shown", contents: Contents, page: str) -> list[Candidate]:
        deed = absolute_url(shown.root, contents.license or "")
        shared = {
            "page": self.name_of(page),
            "license": deed if host_of(deed) else "",
            "creator": contents.author or "",
        }
        return [
            Candidate(url=self.name_of(address), address=address, title=title or contents.heading or "", **shared)
            for address, title in shown.pictures.items()
        ]


class Shown:
    """The addresses of a page, with `root` as what they are relative to.

    `pictures` has at most `most` addresses, each with its title, once each. A thumbnail that links to a picture stands
    for that.
    """

    def __init__(self, root: str, *, most: int) -> None:
        self.root = root
        self.most = most
        self.pictures: dict[str, str] = {}
        self.links: dict[str, None] = {}
        self._targets: dict[int, str] = {}  # by link, as pictures ask for that of the link that they stand in

    def fill(self, contents: Contents, deadline: float) -> str:
        """Take in what a page contains; why some is left out if it is."""
        for number, item in enumerate(contents.items):
            if not number % 64 and time.monotonic() > deadline:
                return f"it took more than {html.SECONDS:g} s"
            self._link(item) if isinstance(item, Link) else self._image(item)
        return ""

    def _link(self, link: Link) -> None:
        address = self._target(link)
        if host_of(address):
            self.links.setdefault(address)
        if link.tag == "a" and is_picture(address):
            self._show(address, (link.tip or link.text if link.alt is None else link.alt).strip())

    def _image(self, image: Image) -> None:
        if image.within is None or not is_picture(self._target(image.within)):
            best = absolute_url(self.root, largest(image.srcset))
            self._show(best if host_of(best) else absolute_url(self.root, image.source), image.title)

    def _target(self, link: Link) -> str:
        if id(link) not in self._targets:
            self._targets[id(link)] = absolute_url(self.root, link.href or "")
        return self._targets[id(link)]

    def _show(self, address: str, title: str) -> None:
        if host_of(address) and len(self.pictures) < self.most:
            self.pictures.setdefault(address, title)


def root_of(page: str, base: str | None) -> str:
    """What the addresses of a page are relative to: its `<base href>`, unless that is no web address; else its own."""
    root = absolute_url(page, base or "")
    return root if authority(root) and len(root) <= LONGEST else page


def is_picture(address: str) -> bool:
    """Whether the path ends as a picture's."""
    try:
        return bool(PICTURE.search(urlsplit(address).path))
    except ValueError:
        return False
