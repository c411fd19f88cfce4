"""A candidate is a URL with what its page says about it; an outcome says what became of it."""

from dataclasses import dataclass
from datetime import datetime, timezone
from io import BytesIO

from pipeline.crawl import image_type
from pipeline.crawl.request import MOST_BYTES, NOAI, PRIVATE, ROBOTS, TOO_LARGE, Fault, Response
from pipeline.crawl.storage import TempFile
from pipeline.crawl.url import shorten_url
from pipeline.images.rejected import TOO_MANY_PIXELS
from pipeline.options import DownloadOptions
from pipeline.text import escaped, plain

LONGEST_WORDS = 300  # characters of a title, a licence or a creator


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A picture that a page names.

    `url` is its lasting name, in the archive and in images.jsonl; `address` is where to fetch it now. The two differ
    only for the demo, whose port is another one at each start.
    """

    url: str
    address: str
    page: str = ""
    title: str = ""
    license: str = ""
    creator: str = ""

    def __post_init__(self) -> None:
        """Let in only text that can be written down and shown: pages give other types, and what steers terminals."""
        for name in ("url", "page"):
            object.__setattr__(self, name, shorten_url(escaped(_text(getattr(self, name)))))
        for name in ("title", "license", "creator"):
            object.__setattr__(self, name, plain(_text(getattr(self, name)), LONGEST_WORDS).strip())


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one URL: "saved", "rejected" or "failed", with the reason for the last two.

    `passing` says that a later crawl should try again. `time` is when the body came, ISO 8601 in UTC.
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
        """The name of a saved picture's file: its id, and the extension that its bytes call for."""
        return f"{self.id}.{image_type.EXTENSIONS[self.type]}"


def of_fault(fault: Fault) -> Outcome:
    """The outcome of a request that gave no body."""
    return Outcome(
        outcome=fault.outcome,
        reason=fault.reason,
        passing=fault.passing,
        status=fault.status,
        bytes=fault.bytes,
        time=_now(),
    )


def of_body(body: Response, options: DownloadOptions) -> Outcome:
    """The outcome of a request that gave a body, which is a `Draft`: saved if that is a picture of a size that may be.

    Whether more than the header is right, normalising will find.
    """
    draft: TempFile = body.data
    kind = image_type.detect_type(draft.head)
    known = {"status": body.status, "type": kind, "bytes": draft.bytes, "time": _now()}
    if kind not in image_type.EXTENSIONS:
        return Outcome(outcome="rejected", reason=f"not an image: {kind}", **known)
    width, height = _size_of(draft, kind)
    if max(width or 0, height or 0) > MOST_BYTES:  # of no picture, and more than the archive can hold
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    known |= {"width": width, "height": height}
    if (width or 0) * (height or 0) > options.max_pixels:
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    return Outcome(outcome="saved", id=draft.sha256, **known)


def _size_of(draft: TempFile, kind: str) -> tuple[int | None, int | None]:
    """Width and height, from what is in memory if that is enough."""
    size = image_type.image_size(BytesIO(draft.head), kind)
    if size == (None, None) and draft.bytes > len(draft.head):
        with draft.path.open("rb") as file:
            size = image_type.image_size(file, kind)
    return size


def still_holds(outcome: Outcome, options: DownloadOptions) -> bool:
    """Whether a later crawl may take this outcome as it is, without asking the server again.

    What robots.txt or an address forbids is looked at again, as it costs no request and settings change; so is what
    today's options judge otherwise. A size that is too large to have a number is too large for any options.
    """
    if outcome.passing or outcome.reason == PRIVATE or outcome.reason.startswith(ROBOTS):
        return False
    if outcome.reason.startswith(NOAI):
        return options.robots
    large, many = outcome.reason == TOO_LARGE, outcome.reason == TOO_MANY_PIXELS
    too_large = outcome.bytes > options.max_bytes if outcome.bytes is not None else large
    too_many = outcome.width * outcome.height > options.max_pixels if outcome.width and outcome.height else many
    return large == too_large and many == too_many


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
