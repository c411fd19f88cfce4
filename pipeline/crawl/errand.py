"""One URL on its way: what is wanted, and where it stands after redirects and failed tries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.address import authority


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a request may and wants. `receive` makes of the pieces of the body what `Body.data` is to be."""

    most: int  # bytes of the body
    allow_private: bool = False
    robots: bool = True  # robots.txt is asked first, and X-Robots-Tag heeded
    referer: str = ""
    accept: str = "*/*"
    types: tuple[str, ...] = ()  # of the body as the server names them; () takes any
    whole: bool = True  # a body of more than `most` bytes is refused; otherwise what goes beyond is left off
    receive: Callable[[Iterable[bytes]], Any] = b"".join


@dataclass
class Errand:
    """Requests for one URL, until there is a body or a fault that lasts. `pause` is in seconds, before the next one."""

    start: str
    ask: Ask
    url: str = ""
    redirects: int = 0
    tries: int = 0
    pause: float = 0.0

    def __post_init__(self) -> None:
        self.url = self.url or self.start

    @property
    def host(self) -> str:
        """Whose turn the next request needs; empty for what no host is asked for."""
        return authority(self.url)

    def follow(self, url: str) -> None:
        """Go on to where a redirect leads."""
        self.url, self.redirects, self.pause = url, self.redirects + 1, 0.0

    def retry(self, pause: float) -> None:
        """Begin again after a while."""
        self.url, self.redirects, self.tries, self.pause = self.start, 0, self.tries + 1, pause
