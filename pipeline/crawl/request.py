"""A request for one URL, its policy, and its result: a `Response` or a `Fault`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.url import authority
from pipeline.text import plain


@dataclass(frozen=True, kw_only=True)
class RequestPolicy:
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
class Request:
    """Requests for one URL, until there is a body or a fault that lasts. `pause` is in seconds, before the next one."""

    start: str
    ask: RequestPolicy
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


ROBOTS = "robots.txt"
PRIVATE = "private address"
NOT_HTTP = "not http(s)"
TOO_LARGE = "too large"
NOAI = "X-Robots-Tag"
LONGEST_REASON = 200  # characters: some reasons quote the server
MOST_BYTES = 2**53  # what is larger is no size of a body, and some readers of JSON cannot hold it
STOPPED = "stopped"
TIMEOUT = "timeout"
PASSING_STATUS = {408, 425, 429}  # with 5xx: the same request may do well a little later


@dataclass(frozen=True, kw_only=True)
class Response:
    """The whole body of an answer. `url` is where it came from in the end, after redirects.

    `data` is what the `receive` of the request made of it: bytes for a page, a `Draft` for a picture.
    """

    url: str
    data: Any
    status: int | None = None
    content_type: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "content_type", plain(self.content_type, LONGEST_REASON))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why there is no body.

    `outcome` is "rejected" for what was refused and "failed" for what could not be had; `passing` says that another
    try may do better, `retry_after` (seconds) when. `answered` is false when no host was reached at all.
    """

    reason: str
    outcome: str = "failed"
    passing: bool = False
    answered: bool = True
    status: int | None = None
    bytes: int | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", plain(self.reason, LONGEST_REASON))


def of_status(status: int, retry_after: float | None) -> Fault:
    """The fault that an HTTP status other than 2xx stands for."""
    passing = status in PASSING_STATUS or status >= 500
    return Fault(reason=f"HTTP {status}", status=status, passing=passing, retry_after=retry_after)
