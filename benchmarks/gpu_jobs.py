"""Runs the jobs of gpu_check.py one after the other within a budget of seconds, each in its own process."""

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
POLL = 0.1  # seconds between two reads of the findings
GRACE = 25.0  # seconds after the budget's end at which a job is killed
LONGEST_LINE = 200

# By default JAX allocates three quarters of the GPU's memory at once, which fails if others use some of it
ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
Found = dict[str, Any]


class Budget:
    """A budget of seconds from now on, and the time that each kind of job took."""

    def __init__(self, seconds: float) -> None:
        self._begun, self._seconds = time.monotonic(), seconds
        self._took: dict[str, float] = {}  # longest so far by kind, for a weight of 1

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self._seconds - self.spent

    def expected(self, kind: str, weight: float) -> float:
        """The expected seconds of a row of a `kind` and `weight`: by the longest of its kind, or the mean of other
        kinds.

        0 before any row has ended, so that one is always started.
        """
        usual = statistics.mean(self._took.values()) if self._took else 0.0
        return weight * self._took.get(kind, usual)

    def took(self, kind: str, weight: float, seconds: float) -> None:
        """Record that a row of a `kind` and `weight` took so many seconds."""
        self._took[kind] = max(self._took.get(kind, 0.0), seconds / weight)

    def limit(self, longest: float) -> float:
        """Seconds after which a job that starts now is killed."""
        return max(1.0, min(longest, self.left + GRACE))


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job for a worker: its `kind`, its arguments, and additional `flags` for XLA."""

    kind: str
    given: Found
    flags: tuple[str, ...] = ()


@dataclass
class Outcome:
    """The findings of a job, and the reason if it failed."""

    found: list[Found] = field(default_factory=list)
    failed: str = ""


def run_job(job: Job, *, limit: float, on_finding: Callable[[Found], None] = lambda found: None) -> Outcome:
    """Run `job` in its own process, for `limit` seconds at most; `on_finding` gets each finding as it comes."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        results, log = Path(folder) / "results.jsonl", Path(folder) / "log.txt"
        results.touch()
        with log.open("wb") as output, _process(job, limit=limit, results=results, output=output) as process:
            deadline = time.monotonic() + limit
            for found in _findings(process, results, deadline):
                if "failed" in found:
                    outcome.failed = found["failed"]
                else:
                    outcome.found.append(found)
                    on_finding(found)
            if process.poll() is None:
                outcome.failed = f"took longer than {limit:.0f} s and was ended"
        if not outcome.failed and process.returncode:
            outcome.failed = _last_words(process.returncode, log)
    return outcome


@contextlib.contextmanager
def _process(job: Job, *, limit: float, results: Path, output: Any) -> Iterator[subprocess.Popen]:
    """The worker, in its own process group, which is killed with it: compilers start further processes."""
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


def _findings(process: subprocess.Popen, results: Path, deadline: float) -> Iterator[Found]:
    """Each line of `results` as it is written, until the process ends or the time is over."""
    with results.open(encoding="utf-8") as file:
        rest, ended = "", False
        while not ended:
            ended = process.poll() is not None or time.monotonic() > deadline
            *lines, rest = (rest + file.read()).split("\n")
            yield from map(json.loads, lines)
            if not ended:
                time.sleep(POLL)


def _last_words(code: int, log: Path) -> str:
    """Why a worker ended that could not say it itself."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    how = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{how}: {lines[-1]}"[:LONGEST_LINE] if lines else how
