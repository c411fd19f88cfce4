"""Time repeated work, in this process or in a fork of it."""

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

Work = Callable[[int], None]  # repeats the work so many times
PR_SET_PDEATHSIG = 1  # option of Linux' prctl(2): the signal that a process gets when its parent dies
ANSWER_SECONDS = 120.0  # for one answer; a fork that takes longer is given up


class StepTimer(Protocol):
    """Times repeated work."""

    def seconds(self, count: int) -> float | None:
        """Do the work `count` times; the mean seconds of one, or None if it fails."""

    def close(self) -> None:
        """Release all resources."""


class InProcessTimer:
    """Times work in this process. `make` prepares the work when it is first needed."""

    def __init__(self, make: Callable[[], Work], should_stop: Callable[[], bool] = lambda: False) -> None:
        self._make = make
        self._work: Work | None = None

    def seconds(self, count: int) -> float | None:
        """See `StepTimer`."""
        try:
            return _seconds_per_call(self._ready(), count)
        except Exception:  # each library has errors of its own for lack of memory
            return None

    def close(self) -> None:
        """See `StepTimer`."""
        self._work = None

    def _ready(self) -> Work:
        if self._work is None:
            self._work = self._make()
        return self._work


class ForkedTimer:
    """Times work in a fork of this process, which can give TensorFlow other threads than this process will.

    TensorFlow accepts its threads only once, so it must not have started here yet. The fork ends with this object, or
    with this process.
    """

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
        """See `StepTimer`."""
        until = time.monotonic() + ANSWER_SECONDS
        try:
            self._pipe.send(count)
            while not self._pipe.poll(0.1):
                if self._should_stop() or time.monotonic() > until:
                    self.close()  # a late answer would be taken for that of the next request
                    return None
            return self._pipe.recv()
        except (OSError, EOFError):  # the fork died, for example of lack of memory, or was given up
            return None

    def close(self) -> None:
        """See `StepTimer`."""
        if self._pipe.closed:
            return
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)


def _serve(make: Callable[[], Work], theirs: Connection, pipe: Connection) -> None:
    """Answer requests until the other end closes the pipe; never returns to the code of the forking process."""
    try:
        theirs.close()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no orphans
        for number in (signal.SIGINT, signal.SIGTERM):  # the parent handles them, and ends the fork
            signal.signal(number, signal.SIG_IGN)
        work = make()
        while True:
            pipe.send(_seconds_per_call(work, pipe.recv()))
    finally:
        os._exit(0)


def _seconds_per_call(work: Work, count: int) -> float:
    began = time.perf_counter()
    work(count)
    return (time.perf_counter() - began) / count
