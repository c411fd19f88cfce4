"""What one request came to: a body, or a fault. Both are values; nothing here is raised."""

from dataclasses import dataclass
from typing import Any

from pipeline.text import plain

ROBOTS = "robots.txt"
PRIVATE = "private address"
NOT_HTTP = "not http(s)"
TOO_LARGE = "too large"
TOO_MANY_PIXELS = "too many pixels"
NOAI = "X-Robots-Tag"
LONGEST_REASON = 200  # characters: some reasons quote the server
MOST_BYTES = 2**53  # what is larger is no size of a body, and some readers of JSON cannot hold it
STOPPED = "stopped"
TIMEOUT = "timeout"
PASSING_STATUS = {408, 425, 429}  # with 5xx: the same request may do well a little later


@dataclass(frozen=True, kw_only=True)
class Body:
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
