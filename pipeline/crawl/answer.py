"""What one request came to: a body, or a fault. Both are values; nothing here is raised."""

from dataclasses import dataclass
from typing import Any

ROBOTS = "robots.txt"
PRIVATE = "private address"
NOT_HTTP = "not http(s)"
TOO_LARGE = "too large"
TOO_MANY_PIXELS = "too many pixels"
NOAI = "X-Robots-Tag"
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


def of_status(status: int, retry_after: float | None) -> Fault:
    """The fault that an HTTP status other than 2xx stands for."""
    passing = status in PASSING_STATUS or status >= 500
    return Fault(reason=f"HTTP {status}", status=status, passing=passing, retry_after=retry_after)
