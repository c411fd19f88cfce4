"""What was found and what became of it: a candidate is an address with what its page said, an outcome its fate."""

from dataclasses import dataclass
from datetime import datetime, timezone

from pipeline.crawl import sniff
from pipeline.crawl.answer import PRIVATE, ROBOTS, TOO_LARGE, Body, Fault
from pipeline.store import digest


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


def of_body(body: Body) -> Outcome:
    """The outcome of a request that gave a body: saved if its first bytes are a picture's."""
    kind = sniff.kind_of(body.data)
    known = {"status": body.status, "type": kind, "bytes": len(body.data), "time": _now()}
    if kind not in sniff.EXTENSIONS:
        return Outcome(outcome="rejected", reason=f"not an image: {kind}", **known)
    width, height = sniff.size_of(body.data, kind)
    return Outcome(outcome="saved", id=digest.of_bytes(body.data), width=width, height=height, **known)


def still_holds(outcome: Outcome, max_bytes: int) -> bool:
    """Whether a later crawl may take this outcome as it is, without asking the server again.

    What robots.txt or an address forbids is looked at again, as it costs no request and settings change; so is a size
    that today's `max_bytes` judges otherwise.
    """
    if outcome.passing or outcome.reason in (ROBOTS, PRIVATE):
        return False
    return (outcome.reason == TOO_LARGE) == ((outcome.bytes or 0) > max_bytes)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
