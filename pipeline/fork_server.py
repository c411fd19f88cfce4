"""Processes that begin at once: they are forked from a server that has imported what they need.

To import the modules of a worker takes longer than to crawl a hundred pictures. On Linux a server imports them once, in
the background; it has one thread and holds no data, so a fork of it copies neither locks nor memory. On macOS, where
forking is unsafe, and on Windows, which cannot fork, each process is started anew.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline.errors import UserError

METHOD = "forkserver" if sys.platform == "linux" else "spawn"
CONTEXT: Any = multiprocessing.get_context(METHOD)
TRIES = 2  # to start a process; the second with a new server
UNKNOWN = 255  # the exit code that the standard library then gives
# Of NumPy's libraries: the processes share the cores
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LAST = "pipeline.fork_server_end"  # imported after all others

_beginning = threading.Lock()
_asked = threading.local()  # `server`: the one from which this thread is starting a process
_connect = forkserver.connect_to_new_process


def _connect_to_asked(fds: Sequence[int]) -> tuple[int, int]:
    server = getattr(_asked, "server", None)
    return server.connect_to_new_process(fds) if server else _connect(fds)


forkserver.connect_to_new_process = _connect_to_asked  # the standard library has one server for all processes


class ForkServer:
    """A server of processes; there may be several, each with modules of its own.

    Args:
        modules: what the server imports.
        environment: variables that it gets in addition; libraries read them when they are imported.
        blocked: signals that it and its processes do not get, so that Ctrl-C in the terminal reaches only the parent.
    """

    def __init__(
        self, *modules: str, environment: Mapping[str, str] | None = None, blocked: Collection[signal.Signals] = ()
    ) -> None:
        self.modules, self.environment, self.blocked = modules, dict(environment or {}), blocked
        self._server, self._owner = forkserver.ForkServer(), 0

    def begin(self) -> bool:
        """Start the server, if it does not run, so that it imports the modules in the background. Returns whether there
        is one: none if, for example, the path of the folder for temporary files is too long for its socket.
        """
        if METHOD != "forkserver":
            return False
        resource_tracker.ensure_running()  # first, as this lets signals through again
        with _beginning, self._prepared():
            if self._owner != os.getpid():  # a fork of this process cannot see whether the server still runs
                self._server, self._owner = forkserver.ForkServer(), os.getpid()
                self._server.set_forkserver_preload([*self.modules, LAST])
            try:
                self._server.ensure_running()
            except OSError:
                return False
        return True

    def start(self, work: Callable[..., None], *arguments: Any) -> BaseProcess:
        """Start a process that calls `work(*arguments)`, in the environment of this one.

        Raises:
            UserError: the server was killed, again and again. One whose signals are not blocked raises OSError or
                EOFError, as the signal may be meant for all.
        """
        for _ in range(TRIES):
            try:
                return self._start(work, arguments)
            except (EOFError, ConnectionError):
                if not self.blocked:
                    raise
        raise UserError("no process could be started, which most often means that memory ran out; run again")

    def _start(self, work: Callable[..., None], arguments: tuple[Any, ...]) -> BaseProcess:
        has_server = self.begin()
        context: Any = CONTEXT if has_server else multiprocessing.get_context("spawn")
        given = (os.environ | self.environment, work, arguments)
        process: BaseProcess = context.Process(target=_work_in, args=given, daemon=True)
        if not has_server:
            with _beginning, self._prepared():
                process.start()
            return process
        _asked.server = self._server
        try:
            with _without_script():
                process.start()
        finally:
            del _asked.server
        return process

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        with _without_script(), _blocking(self.blocked), _in_environment(self.environment):
            yield


def kill_process(process: BaseProcess) -> None:
    """Kill a process, also one whose server has died: then its exit code is unknown, and it may still run."""
    process.kill()
    if process.exitcode == UNKNOWN and process.pid:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join()


def _work_in(environment: dict[str, str], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    work(*arguments)


# For the processes of a crawl and those that decode pictures
WORKERS = ForkServer(
    "pipeline.images.prepare",
    "pipeline.crawl.worker_crawler",
    environment=ONE_THREAD,
    blocked={signal.SIGINT, signal.SIGTERM},
)


@contextmanager
def _without_script() -> Iterator[None]:
    """Let the new process not run the script of this one, such as the command `ganmill`, which imports too much."""
    main = vars(sys.modules["__main__"])
    script = main.pop("__file__", None)
    try:
        yield
    finally:
        if script is not None:
            main["__file__"] = script


@contextmanager
def _blocking(signals: Collection[signal.Signals]) -> Iterator[None]:
    """Let the new process inherit that these signals are blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _in_environment(more: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ |= more
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with_parent() -> None:
    """End this process when its parent ends; for a thread of it."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)
