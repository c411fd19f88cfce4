"""What was found and what became of it: a candidate is an address with what its page said, an outcome its fate."""

from dataclasses import dataclass
from datetime import datetime, timezone
from io import BytesIO

from pipeline.crawl import sniff
from pipeline.crawl.address import shortened
from pipeline.crawl.answer import MOST_BYTES, NOAI, PRIVATE, ROBOTS, TOO_LARGE, TOO_MANY_PIXELS, Body, Fault
from pipeline.crawl.raw import Draft
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
            object.__setattr__(self, name, shortened(escaped(_text(getattr(self, name)))))
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
        return f"{self.id}.{sniff.EXTENSIONS[self.type]}"


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


def of_body(body: Body, options: DownloadOptions) -> Outcome:
    """The outcome of a request that gave a body, which is a `Draft`: saved if that is a picture of a size that may be.

    Whether more than the header is right, normalising will find.
    """
    draft: Draft = body.data
    kind = sniff.kind_of(draft.head)
    known = {"status": body.status, "type": kind, "bytes": draft.bytes, "time": _now()}
    if kind not in sniff.EXTENSIONS:
        return Outcome(outcome="rejected", reason=f"not an image: {kind}", **known)
    width, height = _size_of(draft, kind)
    if max(width or 0, height or 0) > MOST_BYTES:  # of no picture, and more than the archive can hold
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    known |= {"width": width, "height": height}
    if (width or 0) * (height or 0) > options.max_pixels:
        return Outcome(outcome="rejected", reason=TOO_MANY_PIXELS, **known)
    return Outcome(outcome="saved", id=draft.sha256, **known)


def _size_of(draft: Draft, kind: str) -> tuple[int | None, int | None]:
    """Width and height, from what is in memory if that is enough."""
    size = sniff.size_of(BytesIO(draft.head), kind)
    if size == (None, None) and draft.bytes > len(draft.head):
        with draft.path.open("rb") as file:
            size = sniff.size_of(file, kind)
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
