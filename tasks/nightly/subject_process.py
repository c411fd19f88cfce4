"""The process of one subject's turn: start it, follow it to its end, and end it if it is over its time.

It has a session of its own, so that ctrl-C in a terminal reaches it through this process alone, and so that all of it
can be killed. If this process is killed, it works on; the next command finds it again by its number.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import psutil

from pipeline.night_record import RunningTurn
from pipeline.run_process import is_alive
from pipeline.run_record import process_start

POLL_SECONDS = 0.25
GRACE_SECONDS = 120.0  # after SIGINT, in which a training writes its checkpoint; then SIGKILL
LEFT_SECONDS = 30.0  # after SIGKILL, in which a process of a disk that does not answer may still end
LOOK_SECONDS = 10.0  # between two looks at how long a process over its time has waited
# By itself; over its time, as it waited for so long, over the night's hours, by a person
EndedBy = Literal["", "hung", "waited", "cut", "stopped"]


class SubjectProcess(Protocol):
    """A process of `python -m tasks run`."""

    def is_working(self) -> bool:
        """Whether it has not ended."""

    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it works, or if nobody knows."""

    def interrupt(self) -> None:
        """Ask it to stop, as ctrl-C does."""

    def kill(self) -> None:
        """End it and its own processes at once."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """For how many seconds a process may work; None: as long as it takes."""

    turn: float | None = None  # then it counts as hung, unless it waited for another run; for so long it may wait too
    night: float | None = None  # then the hours of the night are over
    grace: float = GRACE_SECONDS

    def is_long(self, seconds: float) -> bool:
        """Whether a process may be over its time after so many seconds, if it has not waited."""
        return self.turn is not None and seconds >= self.turn

    def exceeded(self, seconds: float, waited: float = 0.0) -> EndedBy:
        """Which limit is exceeded after so many seconds, of which it has `waited` some; empty if none is."""
        if self.is_long(seconds - waited):
            return "hung"
        if self.is_long(waited):
            return "waited"
        return "cut" if self.night is not None and seconds >= self.night else ""


@dataclass(frozen=True, kw_only=True)
class ProcessEnd:
    """How a process ended."""

    code: int | None  # None: nobody knows, as it was started by another process
    ended_by: EndedBy
    seconds: float
    was_killed: bool = False  # it did not end in time after it was asked to stop


class OwnProcess:
    """A process that this one started."""

    def __init__(self, words: Sequence[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pid = self._process.pid
        self.born = process_start(self.pid)

    def is_working(self) -> bool:
        """Whether it has not ended."""
        return self.code() is None

    def code(self) -> int | None:
        """Its exit code; None while it works."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Ask it to stop."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and its own processes at once."""
        kill_session(self.pid)


class FoundProcess:
    """A process that an earlier command started, which was killed."""

    def __init__(self, running: RunningTurn) -> None:
        self.pid, self.born = running.pid, running.born

    def is_working(self) -> bool:
        """Whether it has not ended."""
        return is_alive(self.pid, self.born)

    def code(self) -> int | None:
        """None: the exit code of a process that is not one's own child cannot be known."""
        return None

    def interrupt(self) -> None:
        """Ask it to stop."""
        if self.is_working():
            with suppress(psutil.Error):
                psutil.Process(self.pid).send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and its own processes at once."""
        if self.is_working():
            kill_session(self.pid)


def kill_session(leader: int) -> None:
    """Send SIGKILL to the process `leader`, which began a session, and to all that it started."""
    with suppress(ProcessLookupError, PermissionError, psutil.Error):
        if hasattr(os, "killpg") and os.getpgid(leader) == leader:
            os.killpg(leader, signal.SIGKILL)
        else:
            psutil.Process(leader).kill()


def follow(
    process: SubjectProcess,
    *,
    limits: Limits,
    should_stop: Callable[[], bool],
    waited: Callable[[], float] = lambda: 0.0,
    spent: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ProcessEnd:
    """Wait for the end of `process`, which was started `spent` seconds ago; `waited` says for how many seconds it has
    waited for another run.

    When a limit is exceeded or `should_stop`, it is asked to stop, and killed if it has not ended after the grace. A
    process that does not end even then, as the system holds it, is left behind.
    """
    began, asked, killed = clock() - spent, 0.0, False
    look_at = began
    ended_by: EndedBy = ""
    while process.is_working():
        now = clock()
        if not ended_by:
            if should_stop():
                ended_by = "stopped"
            elif not limits.is_long(now - began):
                ended_by = limits.exceeded(now - began)
            elif now >= look_at:
                ended_by, look_at = limits.exceeded(now - began, waited()), now + LOOK_SECONDS
            if ended_by:
                process.interrupt()
                asked = now
        elif not killed and now - asked >= limits.grace:
            process.kill()
            killed = True
        elif killed and now - asked >= limits.grace + LEFT_SECONDS:
            break
        sleep(POLL_SECONDS)
    return ProcessEnd(code=process.code(), ended_by=ended_by, seconds=clock() - began, was_killed=killed)
