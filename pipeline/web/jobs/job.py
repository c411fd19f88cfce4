"""A job: a run of one dataset that is queued, and what became of it. It is kept as JSON in data/.jobs/<id>/job.json."""

import re
import secrets
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.web.jobs.run_status import Started

State = Literal["queued", "running", "stopped", "failed", "done", "next"]
QUEUED, RUNNING = "queued", "running"
ENDED = ("stopped", "failed", "done", "next")  # `next`: the run asks the user for something first, labels for example
MAX_ATTEMPTS = 3  # how often a run is started again by itself after its process was gone
ID = re.compile(r"[0-9]{17}[0-9a-f]{8}")


class Job(BaseModel):
    """One job. Times are ISO 8601 in UTC, and empty if they have not come."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    dataset: str
    until: str = ""  # the last stage; empty for all
    settings: dict[str, str] = {}  # {"gan.epochs": "20"}, as the flags of the run
    definition: str = ""  # the name of a file in models/; empty: the dataset's own
    name: str = ""  # what the person who submitted it calls it
    warnings: tuple[str, ...] = ()
    created: str
    queued: str  # since when it waits: its place in the queue
    started: str = ""
    ended: str = ""
    state: State = "queued"
    outcome: str = ""  # one line, when it is over
    attempts: int = 0  # how often it was started again by itself
    process: Started | None = None
    run: str = Field("", pattern=r"^[\w.-]*$")  # the name of its record, when there is one
    stop_asked: float = 0.0  # seconds since the epoch; 0: nobody asked it to stop
    gpu: str = ""  # the device that it is given, if there are several
    idempotency: str = ""  # the digest of the key under which it was submitted
    body: str = ""  # the digest of what was submitted

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED

    def changed(self, **values: object) -> "Job":
        """This job with other values."""
        return self.model_copy(update=values)

    def queued_again(self) -> "Job":
        """This job with a new run before it."""
        return self.changed(state="queued", process=None, run="", gpu="", outcome="", ended="")


def new_id() -> str:
    """An id that sorts by time: digits of the time in UTC to the millisecond, and eight random hex digits."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}{secrets.token_hex(4)}"
