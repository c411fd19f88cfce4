"""One worker process of a crawl, and the threads that write to its pipe and read from it."""

import queue
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from pipeline.crawl.dispatch import Event
from pipeline.crawl.worker_crawler import WorkerSetup, serve
from pipeline.fork_server import CONTEXT, WORKERS, kill_process

QUIT = ""  # the last order of the thread that writes
SILENCE = 60.0  # seconds after which a process hangs; it sends a message every second


class WorkerProcess:
    """A process that crawls what it is given. One that hangs holds up nobody, as threads of their own wait for it."""

    def __init__(self, setup: WorkerSetup, events: queue.SimpleQueue[Event]) -> None:
        self.index, self._events = setup.index, events
        self.last_message = time.monotonic()  # when it sent one
        self.at_work = CONTEXT.RawArray("q", setup.connections)  # numbers of the entries in its threads
        self._orders: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._pipe, there = CONTEXT.Pipe()
        self.process = WORKERS.start(serve, setup, there, self.at_work)
        there.close()
        self._writer = threading.Thread(target=self._write, daemon=True)
        for thread in (self._writer, threading.Thread(target=self._read, daemon=True)):
            thread.start()

    def order(self, kind: str, value: Any = None) -> None:
        """Send a message, soon."""
        self._orders.put((kind, value))

    def kill(self) -> None:
        """End the process."""
        kill_process(self.process)

    @property
    def is_silent(self) -> bool:
        """Whether it has sent nothing for so long that it hangs."""
        return time.monotonic() - self.last_message > SILENCE

    def failure_text(self) -> str:
        """Why the crawl cannot go on, if this process has died as others before it."""
        code = self.process.exitcode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        if self.is_silent:
            how = f"did not answer for {SILENCE:g} s"
        elif -code == signal.SIGKILL:
            how += ", which most often means that memory ran out"
        return f"a worker process of the crawl {how}, again and again; set download.processes to 1, and run again"

    def _write(self) -> None:
        with suppress(OSError):  # it has ended, which the other thread reports
            while (message := self._orders.get())[0] != QUIT:
                self._pipe.send(message)

    def _read(self) -> None:
        with suppress(Exception):  # its end, or what is no message, which only a fault of it can send
            while True:
                kind, value = self._pipe.recv()
                self.last_message = time.monotonic()
                self._events.put(Event(self.index, kind, value))
        self.order(QUIT)
        self._writer.join()
        self._pipe.close()
        self._events.put(Event(self.index, "ended", self))
