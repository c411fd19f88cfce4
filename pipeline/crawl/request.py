"""A request for one URL, its policy, and its result: a `Response` or a `RequestFault`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.url import authority
from pipeline.text import to_plain_line


@dataclass(frozen=True, kw_only=True)
class RequestPolicy:
    """What a request may do and what it accepts. `receive` converts the chunks of the body to `Response.data`."""

    max_bytes: int  # of the decoded body
    allow_private: bool = False
    robots: bool = True  # obey robots.txt and X-Robots-Tag
    referer: str = ""
    accept: str = "*/*"
    content_types: tuple[str, ...] = ()  # accepted beginnings of Content-Type; () accepts any
    require_whole: bool = True  # refuse a longer body; if false, truncate it
    receive: Callable[[Iterable[bytes]], Any] = b"".join


@dataclass
class Request:
    """A request for one URL through redirects and retries. `delay` is in seconds, before the next attempt."""

    start_url: str
    policy: RequestPolicy
    url: str = ""
    redirects: int = 0
    retries: int = 0
    delay: float = 0.0

    def __post_init__(self) -> None:
        self.url = self.url or self.start_url

    @property
    def host(self) -> str:
        """The host of the next attempt, for its rate limit; empty if no host is requested."""
        return authority(self.url)

    def redirect_to(self, url: str) -> None:
        """Continue with the target of a redirect."""
        self.url, self.redirects, self.delay = url, self.redirects + 1, 0.0

    def retry(self, delay: float) -> None:
        """Start again with the first URL after a delay in seconds."""
        self.url, self.redirects, self.retries, self.delay = self.start_url, 0, self.retries + 1, delay


ROBOTS = "robots.txt"
PRIVATE = "private address"
NOT_HTTP = "not http(s)"
BAD_ADDRESS = "bad address"
TOO_LARGE = "too large"
NOAI = "X-Robots-Tag"
MAX_REASON_LENGTH = 200  # characters; some reasons quote the server
MAX_SIZE_VALUE = 2**53  # a larger size is not plausible, and not exact in JSON readers that use doubles
STOPPED = "stopped"
TIMEOUT = "timeout"
TRANSIENT_STATUSES = {408, 425, 429}  # and 5xx: the same request may succeed later


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete response. `url` is the final URL after redirects.

    `data` is what the policy's `receive` returned: bytes for a page, a `TempFile` for a picture.
    """

    url: str
    data: Any
    status: int | None = None
    content_type: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "content_type", to_plain_line(self.content_type, MAX_REASON_LENGTH))


@dataclass(frozen=True, kw_only=True)
class RequestFault:
    """Why a request has no response.

    `outcome` is "rejected" if the program refused the body and "failed" if the request failed. `passing` means
    transient: a retry may succeed, after `retry_after` seconds if given. `host_answered` is false if no host was
    reached.
    """

    reason: str
    outcome: str = "failed"
    passing: bool = False
    host_answered: bool = True
    status: int | None = None
    bytes: int | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", to_plain_line(self.reason, MAX_REASON_LENGTH))


ResponseOrRedirect = Response | RequestFault | str  # of one HTTP request; text is the URL that it redirects to


def fault_of_status(status: int, retry_after: float | None) -> RequestFault:
    """The fault of an HTTP status other than 2xx."""
    passing = status in TRANSIENT_STATUSES or status >= 500
    return RequestFault(reason=f"HTTP {status}", status=status, passing=passing, retry_after=retry_after)
