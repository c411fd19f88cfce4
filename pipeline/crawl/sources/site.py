"""A web site: its pages are followed within the first one's host, and every picture that they show is taken."""

import re
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from pipeline.crawl import robots_tag
from pipeline.crawl.address import absolute, host_of
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.source import Page, WebSource
from pipeline.options import DownloadOptions

# An address, which may hold commas but not end with one, and its width or density
CHOICE = re.compile(r"(\S*[^\s,])(?:\s+(\d+(?:\.\d+)?)[^\s,]*)?\s*(?:,|$)")
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

    def parse(self, body: Body, address: str) -> Page | Fault:
        """The pictures and the links of one page, in the order of the text, unless it keeps them from such use."""
        here = host_of(body.url)
        self._host = self._host or here  # of the first page, after redirects: example.org may be www.example.org
        if here != self._host:
            return Page(candidates=[], links=[])
        soup = BeautifulSoup(body.data, "lxml")
        if word := self._forbidden(soup):
            return Fault(reason=f"meta robots: {word}", outcome="rejected", status=body.status)
        base = soup.find("base", href=True)
        root = urljoin(body.url, base["href"]) if base else body.url
        links = [absolute(root, tag["href"]) for tag in soup.find_all(["a", "area"], href=True)]
        pages = [link for link in links if host_of(link) == self._host and not is_picture(link)]
        return Page(candidates=self._candidates(soup, root, body.url), links=list(dict.fromkeys(pages)))

    def _forbidden(self, soup: BeautifulSoup) -> str:
        tags = soup.find_all("meta", attrs={"name": re.compile("^robots$", re.IGNORECASE)}, content=True)
        return robots_tag.refusal([tag["content"] for tag in tags], "") if self.options.robots else ""

    def _candidates(self, soup: BeautifulSoup, root: str, page: str) -> list[Candidate]:
        deed = soup.find(["a", "link"], rel="license", href=True)
        author = soup.find("meta", attrs={"name": "author"}, content=True)
        shared = {
            "page": self.name_of(page),
            "license": absolute(root, deed["href"]) if deed else "",
            "creator": author["content"] if author else "",
        }
        heading = soup.title.get_text(strip=True) if soup.title else ""
        return [
            Candidate(url=self.name_of(address), address=address, title=title or heading, **shared)
            for address, title in pictures(soup, root)
        ]


def pictures(soup: BeautifulSoup, root: str) -> list[tuple[str, str]]:
    """Address and title of each picture of a page, once each. A thumbnail that links to a picture stands for that."""
    found: dict[str, str] = {}
    for tag in soup.find_all(["a", "img"]):
        address, title = _link(tag, root) if tag.name == "a" else _image(tag, root)
        if host_of(address):
            found.setdefault(address, title)
    return list(found.items())


def is_picture(address: str) -> bool:
    """Whether the path ends as a picture's."""
    return bool(PICTURE.search(urlsplit(address).path))


def _link(tag: Tag, root: str) -> tuple[str, str]:
    address = absolute(root, tag.get("href", ""))
    inside = tag.find("img", alt=True)
    title = inside["alt"] if inside else tag.get("title") or tag.get_text(" ", strip=True)
    return (address, title.strip()) if is_picture(address) else ("", "")


def _image(tag: Tag, root: str) -> tuple[str, str]:
    link = tag.find_parent("a", href=True)
    if link and is_picture(absolute(root, link["href"])):
        return "", ""
    source = _largest(tag.get("srcset", "")) or tag.get("data-src") or tag.get("src", "")
    return absolute(root, source), (tag.get("alt") or tag.get("title") or "").strip()


def _largest(srcset: str) -> str:
    """The address of the largest of `small.jpg 320w, large.jpg 1280w`; empty if there is none."""
    choices = CHOICE.findall(srcset)
    return max(choices, key=lambda choice: float(choice[1] or 1))[0] if choices else ""
