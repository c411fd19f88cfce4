"""Something that can be done again and again, and how long it takes: here, or in a process of its own."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Protocol

Work = Callable[[int], None]  # does it so many times
PR_SET_PDEATHSIG = 1  # of Linux' prctl(2): the signal when the parent dies
PATIENCE = 120.0  # seconds for one answer; a process that takes longer is slower than anything worth having


class Timed(Protocol):
    """What can be timed."""

    def seconds(self, count: int) -> float | None:
        """Do it `count` times; the seconds that each took on average, None if it cannot be done."""

    def close(self) -> None:
        """Let go of what it holds."""


class InProcess:
    """Timed in this process. `make` prepares the work when it is first wanted."""

    def __init__(self, make: Callable[[], Work], should_stop: Callable[[], bool] = lambda: False) -> None:
        self._make = make
        self._work: Work | None = None

    def seconds(self, count: int) -> float | None:
        """As `Timed`."""
        try:
            return _timed(self._ready(), count)
        except Exception:  # memory runs out in ways of each library's own
            return None

    def close(self) -> None:
        """As `Timed`."""
        self._work = None

    def _ready(self) -> Work:
        if self._work is None:
            self._work = self._make()
        return self._work


class OwnProcess:
    """Timed in a fork of this process, which may tell TensorFlow other threads than this one will: it can be told but
    once. So nothing may be at work on it here yet. The fork ends with this object, or with this process."""

    def __init__(self, make: Callable[[], Work], should_stop: Callable[[], bool] = lambda: False) -> None:
        self._should_stop = should_stop
        self._pipe, there = Pipe()
        self._process = os.fork()
        if not self._process:
            _serve(make, self._pipe, there)
        there.close()

    @staticmethod
    def is_possible() -> bool:
        """Whether a process can be forked with all that it has loaded; on macOS that is not safe."""
        return sys.platform == "linux"

    def seconds(self, count: int) -> float | None:
        """As `Timed`."""
        until = time.monotonic() + PATIENCE
        try:
            self._pipe.send(count)
            while not self._pipe.poll(0.1):
                if self._should_stop() or time.monotonic() > until:
                    self.close()  # its answer would come to the next question
                    return None
            return self._pipe.recv()
        except (OSError, EOFError):  # memory ran out, say; or it was given up
            return None

    def close(self) -> None:
        """As `Timed`."""
        if self._pipe.closed:
            return
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)


def _serve(make: Callable[[], Work], theirs: Connection, pipe: Connection) -> None:
    """Answer until the other end is closed; never returns into what this process was forked from."""
    try:
        theirs.close()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody waits for it then
        for number in (signal.SIGINT, signal.SIGTERM):  # who forked it hears them, and ends it
            signal.signal(number, signal.SIG_IGN)
        work = make()
        while True:
            pipe.send(_timed(work, pipe.recv()))
    finally:
        os._exit(0)


def _timed(work: Work, count: int) -> float:
    began = time.perf_counter()
    work(count)
    return (time.perf_counter() - began) / count
