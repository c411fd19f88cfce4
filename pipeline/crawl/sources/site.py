"""A web site: follow the links within the host of the first page and collect the pictures of every page."""

import re
import time
from urllib.parse import urlsplit

from pipeline.crawl import html, robots
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.page import Image, Link, PageContents, largest_in_srcset
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources.base import Page, WebSource
from pipeline.crawl.url import MAX_URL_LENGTH, absolute_url, authority, host_of
from pipeline.options import DownloadOptions

PICTURE = re.compile(r"\.(jpe?g|png|gif|webp|bmp|tiff?)$", re.IGNORECASE)


class SiteSource(WebSource):
    """All pages that are linked from the first one, breadth first, on the same host."""

    engine = "site"
    crawls_pages = True

    def __init__(self, options: DownloadOptions, first_url: str) -> None:
        super().__init__(options)
        self.first_url = first_url
        self._host = ""

    @property
    def topic(self) -> str:
        """The URL of the first page."""
        return self.first_url

    def start(self) -> str:
        """The URL of the first page."""
        return self.first_url

    def parse(self, response: Response, address: str) -> Page | RequestFault:
        """The pictures and links of one page in document order; a fault if its robots meta tag forbids training."""
        host = host_of(response.url)
        self._host = self._host or host  # after redirects: example.org may redirect to www.example.org
        if host != self._host:
            return Page(candidates=[], links=[])
        contents = PageContents()
        cut_reason = html.parse_html(response.data, contents, time.monotonic() + html.MAX_SECONDS)
        contents.finish()
        if word := robots.robots_tag_refusal(contents.robots, "") if self.options.robots else "":
            return RequestFault(reason=f"meta robots: {word}", outcome="rejected", status=response.status)
        page_urls = PageUrls(base_url_of(response.url, contents.base), max_pictures=self.max_candidates)
        cut_reason = page_urls.collect(contents, time.monotonic() + html.MAX_SECONDS) or cut_reason
        pages = [link for link in page_urls.links if host_of(link) == self._host and not is_picture(link)]
        return Page(candidates=self._candidates(page_urls, contents, response.url), links=pages, cut_reason=cut_reason)

    def _candidates(self, page_urls: "PageUrls", contents: PageContents, page: str) -> list[Candidate]:
        deed = absolute_url(page_urls.base_url, contents.license or "")
        shared = {
            "page": self.stable_url(page),
            "license": deed if host_of(deed) else "",
            "creator": contents.author or "",
        }
        return [
            Candidate(url=self.stable_url(address), fetch_url=address, title=title or contents.title or "", **shared)
            for address, title in page_urls.pictures.items()
        ]


class PageUrls:
    """The absolute URLs on a page: `links`, and `pictures` with their titles, at most `max_pictures`, each once.

    A thumbnail that links to a picture is replaced by that picture.
    """

    def __init__(self, base_url: str, *, max_pictures: int) -> None:
        self.base_url = base_url
        self.max_pictures = max_pictures
        self.pictures: dict[str, str] = {}
        self.links: dict[str, None] = {}
        self._targets: dict[int, str] = {}  # by the id of a link: the pictures within it need its target too

    def collect(self, contents: PageContents, deadline: float) -> str:
        """Add the items of a page until the `deadline` (`time.monotonic`); returns why it stopped early, or an empty
        string.
        """
        for number, item in enumerate(contents.items):
            if not number % 64 and time.monotonic() > deadline:
                return f"it took more than {html.MAX_SECONDS:g} s"
            self._link(item) if isinstance(item, Link) else self._image(item)
        return ""

    def _link(self, link: Link) -> None:
        address = self._target(link)
        if host_of(address):
            self.links.setdefault(address)
        if link.tag == "a" and is_picture(address):
            self._add_picture(address, (link.title or link.text if link.alt is None else link.alt).strip())

    def _image(self, image: Image) -> None:
        if image.link is None or not is_picture(self._target(image.link)):
            best = absolute_url(self.base_url, largest_in_srcset(image.srcset))
            self._add_picture(best if host_of(best) else absolute_url(self.base_url, image.src), image.title)

    def _target(self, link: Link) -> str:
        if id(link) not in self._targets:
            self._targets[id(link)] = absolute_url(self.base_url, link.href or "")
        return self._targets[id(link)]

    def _add_picture(self, address: str, title: str) -> None:
        if host_of(address) and len(self.pictures) < self.max_pictures:
            self.pictures.setdefault(address, title)


def base_url_of(page: str, base: str | None) -> str:
    """The URL that relative URLs on the page refer to: a valid `<base href>`, else the URL of the page."""
    base_url = absolute_url(page, base or "")
    return base_url if authority(base_url) and len(base_url) <= MAX_URL_LENGTH else page


def is_picture(address: str) -> bool:
    """Whether the path of a URL ends like that of a picture file."""
    try:
        return bool(PICTURE.search(urlsplit(address).path))
    except ValueError:
        return False
