"""Runs the jobs of gpu_check.py one after the other within a budget of seconds, each in a process of its own."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("gpu_worker.py")
POLL = 0.1  # seconds between looks at what a job has found
GRACE = 25.0  # seconds after the budget's end at which a job is killed
LONGEST_LINE = 200

# JAX would take three quarters of the GPU's memory at once, and fail where something else has some of it
ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
Found = dict[str, Any]


class Budget:
    """So many seconds from now on, and what the jobs so far have taken of them."""

    def __init__(self, seconds: float) -> None:
        self._begun, self._seconds = time.monotonic(), seconds
        self._took: dict[str, float] = {}  # by kind, the longest so far for a weight of 1

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return self._seconds - self.spent

    def expected(self, kind: str, weight: float) -> float:
        """Seconds that a row of a `kind` and `weight` will take: by the longest of its kind, or a usual one of others.

        0 before any has ended: one is always begun.
        """
        usual = statistics.mean(self._took.values()) if self._took else 0.0
        return weight * self._took.get(kind, usual)

    def took(self, kind: str, weight: float, seconds: float) -> None:
        """A row of a `kind` and `weight` has ended well after so long."""
        self._took[kind] = max(self._took.get(kind, 0.0), seconds / weight)

    def limit(self, longest: float) -> float:
        """Seconds after which a job that begins now is killed."""
        return max(1.0, min(longest, self.left + GRACE))


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is to do, as `kind` and what it is given, with more `flags` for XLA than the environment has."""

    kind: str
    given: Found
    flags: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What a job has found, and why it ended early, if it did."""

    found: list[Found] = field(default_factory=list)
    failed: str = ""


def run_job(job: Job, *, limit: float, heard: Callable[[Found], None] = lambda found: None) -> Outcome:
    """Run `job` in a process of its own, for `limit` seconds at most; `heard` gets each finding as it comes."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as place:
        results, log = Path(place) / "results.jsonl", Path(place) / "log.txt"
        results.touch()
        with log.open("wb") as output, _process(job, limit=limit, results=results, output=output) as process:
            until = time.monotonic() + limit
            for found in _findings(process, results, until):
                if "failed" in found:
                    outcome.failed = found["failed"]
                else:
                    outcome.found.append(found)
                    heard(found)
            if process.poll() is None:
                outcome.failed = f"took longer than {limit:.0f} s and was ended"
        if not outcome.failed and process.returncode:
            outcome.failed = _last_words(process.returncode, log)
    return outcome


@contextlib.contextmanager
def _process(job: Job, *, limit: float, results: Path, output: Any) -> Iterator[subprocess.Popen]:
    """The worker, at the head of a process group that is ended with it: compilers start processes of their own."""
    told = json.dumps({"kind": job.kind, "limit": limit, "results": str(results), **job.given})
    environment = ENVIRONMENT | os.environ
    if job.flags:
        environment["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *job.flags]).strip()
    command = [sys.executable, str(WORKER), told]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _findings(process: subprocess.Popen, results: Path, until: float) -> Iterator[Found]:
    """Each line of `results` as it is written, until the process ends or the time is over."""
    with results.open(encoding="utf-8") as file:
        rest, ended = "", False
        while not ended:
            ended = process.poll() is not None or time.monotonic() > until
            *lines, rest = (rest + file.read()).split("\n")
            yield from map(json.loads, lines)
            if not ended:
                time.sleep(POLL)


def _last_words(code: int, log: Path) -> str:
    """Why a worker ended that could not say it itself."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    how = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{how}: {lines[-1]}"[:LONGEST_LINE] if lines else how
