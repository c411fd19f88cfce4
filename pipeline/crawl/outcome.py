"""Candidates (a picture's URL with what its page says about it) and outcomes (what became of the URL)."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pipeline.crawl import image_type
from pipeline.crawl.request import (
    BAD_ADDRESS,
    MAX_SIZE_VALUE,
    NOAI,
    PRIVATE,
    ROBOTS,
    TOO_LARGE,
    RequestFault,
    Response,
)
from pipeline.crawl.storage import TempFile
from pipeline.crawl.url import shorten_url
from pipeline.images.rejected import TOO_MANY_PIXELS
from pipeline.options import DownloadOptions
from pipeline.store.jsonl import timestamp
from pipeline.text import escaped, to_plain_line

MAX_TEXT_LENGTH = 300  # characters of a title, licence or creator


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A picture that a page links to.

    `url` is its permanent name, in the archive and in images.jsonl; `fetch_url` is the URL to request now. The two
    differ for the demo, whose site has another port at each start, and for pictures on this disk.
    """

    url: str
    fetch_url: str
    page: str = ""
    title: str = ""
    license: str = ""
    creator: str = ""
    category: str = ""  # the class that a data set gives it

    def __post_init__(self) -> None:
        """Clean the text of the page: replace values that are not text, escape control characters, limit the length."""
        for name in ("url", "page"):
            object.__setattr__(self, name, shorten_url(escaped(_text(getattr(self, name)))))
        for name in ("title", "license", "creator", "category"):
            object.__setattr__(self, name, to_plain_line(_text(getattr(self, name)), MAX_TEXT_LENGTH).strip())


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one URL: "saved", "rejected" or "failed", with the reason for the last two.

    `passing` means that the failure may be transient: a later crawl requests the URL again. `time` is when the outcome
    was known, ISO 8601 in UTC; `id` the SHA-256 of the bytes in hex; `width` and `height` are in pixels.
    """

    outcome: str
    reason: str = ""
    passing: bool = False
    status: int | None = None
    type: str | None = None
    bytes: int | None = None
    id: str | None = None
    width: int | None = None
    height: int | None = None
    time: str = ""

    @property
    def file(self) -> str:
        """The file name of a saved picture: its id and the extension of its detected type."""
        return f"{self.id}.{image_type.EXTENSIONS[str(self.type)]}"


def of_fault(fault: RequestFault) -> Outcome:
    """The outcome of a request without a body."""
    return Outcome(
        outcome=fault.outcome,
        reason=fault.reason,
        passing=fault.passing,
        status=fault.status,
        bytes=fault.bytes,
        time=timestamp(),
    )


def of_response(response: Response, options: DownloadOptions) -> Outcome:
    """The outcome of a response whose body is a `TempFile`: saved if it is a picture within the size limits.

    Only the header is checked here; the normalise stage decodes the picture.
    """
    temp_file: TempFile = response.data
    kind = image_type.detect_type(temp_file.head)
    known: dict[str, Any] = {"status": response.status, "type": kind, "bytes": temp_file.bytes, "time": timestamp()}
    if kind not in image_type.EXTENSIONS:
        return Outcome(outcome="rejected", reason=f"not an image: {kind}", **known)
    width, height = _image_size(temp_file, kind)
    if max(width or 0, height or 0) > MAX_SIZE_VALUE:  # no picture has this size, and the archive cannot store it
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    known |= {"width": width, "height": height}
    if (width or 0) * (height or 0) > options.max_pixels:
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    return Outcome(outcome="saved", id=temp_file.sha256, **known)


def is_still_valid(outcome: Outcome, options: DownloadOptions) -> bool:
    """Whether a later crawl may use this outcome without another request.

    What robots.txt or a private address forbids is checked again, because that costs no request and options change. So
    is an outcome that depends on a size limit which differs today. A size without a number exceeds every limit. A bad
    address is checked again because it costs no request either, and earlier versions refused some that are good.
    """
    if outcome.passing or outcome.reason in (PRIVATE, BAD_ADDRESS) or outcome.reason.startswith(ROBOTS):
        return False
    if outcome.reason.startswith(NOAI):
        return options.robots
    was_too_large, had_too_many_pixels = outcome.reason == TOO_LARGE, outcome.reason == TOO_MANY_PIXELS
    is_too_large = outcome.bytes > options.max_bytes if outcome.bytes is not None else was_too_large
    has_too_many_pixels = (
        outcome.width * outcome.height > options.max_pixels if outcome.width and outcome.height else had_too_many_pixels
    )
    return was_too_large == is_too_large and had_too_many_pixels == has_too_many_pixels


def _image_size(temp_file: TempFile, kind: str) -> tuple[int | None, int | None]:
    """Width and height in pixels, from the first bytes if these suffice, else from all."""
    head = temp_file.head
    size = image_type.image_size(BytesIO(head), kind)
    if size == (None, None) and temp_file.bytes > len(head):
        with temp_file.open() as file:
            size = image_type.image_size(file, kind)
    return size


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
