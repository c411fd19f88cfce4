"""A process pool that survives the loss of workers: a decoder that crashes, or one that does not return.

A lost process costs only the item that it was working on. Items and results are sent in batches, so that neither side
waits for the other; each process records its progress in shared memory.
"""

import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.errors import Stopped, UserError, is_for_the_user
from pipeline.fork_server import CONTEXT, WORKERS, end_with_parent, kill_process
from pipeline.images.rejected import CRASHED, TOO_SLOW
from pipeline.progress import ShouldStop

SHARD = 16  # items queued at a process, at most
BATCH = 8  # results per message, and new items per message
DELAY = 0.1  # seconds after which an incomplete batch of results is sent
TRIES = 2  # the second in a new process, perhaps with more free memory
POLL = 0.2  # seconds between two checks of `should_stop` and of the time limit


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The result of an item that crashed its process, or exceeded the time limit, in every attempt."""

    reason: str


def work_through(
    items: Iterable[Any],
    work: Callable[[Any], Any],
    take: Callable[[Any, Any], None],
    *,
    processes: int,
    seconds: float,
    should_stop: ShouldStop,
) -> None:
    """Call `take(item, work(item))` for every item, in order of completion; `work` runs in other processes.

    `work` and the items must be picklable, the items hashable. An item that crashes its process or takes more than
    `seconds` is tried once more; then its result is `Lost`. An exception of `work` is raised here: a `UserError` and an
    `OSError` that the user can fix (a full disk) as they are, any other as a `RuntimeError` with the traceback. Raises
    `Stopped` if `should_stop()` becomes true. All processes end with this call, and soon after this process if it is
    killed.
    """
    pool = _Pool(deque(items), work, take, seconds)
    try:
        pool.start(min(processes, -(-len(pool.waiting) // SHARD)))
        while pool.busy():
            if should_stop():
                raise Stopped
            pool.step()
    finally:
        pool.end()


class _Pool:
    def __init__(self, waiting: deque[Any], work: Callable[..., Any], take: Callable[..., Any], seconds: float) -> None:
        self.waiting, self.work, self.take, self.seconds = waiting, work, take, seconds
        self.workers: list[_Worker] = []
        self.losses: Counter[Any] = Counter()

    def start(self, count: int) -> None:
        """Start `count` processes."""
        self.workers = [_Worker(self.work, self.seconds) for _ in range(count)]

    def busy(self) -> bool:
        """Whether any item is not done yet."""
        return bool(self.waiting) or any(worker.shard for worker in self.workers)

    def step(self) -> None:
        """Send items, wait a moment for results, and replace lost processes."""
        for worker in self.workers:
            worker.fill(self.waiting)
        heard = wait([worker.pipe for worker in self.workers], timeout=POLL)
        for index, worker in enumerate(self.workers):
            if reason := self._listen(worker) if worker.pipe in heard else worker.late():
                self._lose(worker, reason)
                self.workers[index] = _Worker(self.work, self.seconds)

    def end(self) -> None:
        """Kill every process."""
        for worker in self.workers:
            worker.end()

    def _listen(self, worker: "_Worker") -> str:
        """Receive one message of `worker`; returns why the process is lost, empty if it is not."""
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return CRASHED
        for item, result in worker.heed(*message):
            self.take(item, result)
        return ""

    def _lose(self, worker: "_Worker", reason: str) -> None:
        worker.end()
        if not worker.ready:
            raise RuntimeError(f"a worker process ended with code {worker.process.exitcode} before it could begin")
        if not worker.shard:
            return
        guilty = worker.take_current()
        self.losses[guilty] += 1
        if self.losses[guilty] < TRIES:
            worker.shard.append(guilty)
        else:
            self.take(guilty, Lost(reason=reason))
        self.waiting.extendleft(reversed(worker.shard))


class _Worker:
    """A process, and the items whose results it has not sent yet."""

    def __init__(self, work: Callable[..., Any], seconds: float) -> None:
        self.shard: deque[Any] = deque()
        self.seconds, self.ready, self.since = seconds, False, time.monotonic()
        self.begun = CONTEXT.RawValue("L", 0)  # number of items that it has started
        self.answered = self.seen = 0
        self.pipe, there = CONTEXT.Pipe()
        self.process = WORKERS.start(_serve, work, there, self.begun)
        there.close()

    def fill(self, waiting: deque[Any]) -> None:
        """Send more items before the last ones are done, so that the process never waits."""
        room = SHARD - len(self.shard)
        if room < BATCH or not self.ready or not waiting:
            return
        if not self.shard:
            self.since = time.monotonic()
        items = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        self.shard.extend(items)
        with suppress(OSError):  # the process is lost, which the next `_listen` detects
            self.pipe.send(items)

    def heed(self, kind: str, value: Any) -> list[tuple[Any, Any]]:
        """Handle a message; returns the finished items with their results."""
        self.since = time.monotonic()
        if kind == "raised":
            raise value
        if kind == "ready":
            self.ready = True
            return []
        self.answered += len(value)
        return [(self.shard.popleft(), result) for result in value]

    def take_current(self) -> Any:
        """Remove the item that the process is working on; earlier items are done, but their results were not
        received.
        """
        index = max(self.begun.value - self.answered - 1, 0)
        current = self.shard[index]
        del self.shard[index]
        return current

    def late(self) -> str:
        """`TOO_SLOW` if the current item exceeds the time limit, else an empty string."""
        if self.begun.value != self.seen:
            self.seen, self.since = self.begun.value, time.monotonic()
        return TOO_SLOW if self.shard and time.monotonic() - self.since > self.seconds else ""

    def end(self) -> None:
        """Kill the process."""
        kill_process(self.process)
        self.pipe.close()


def _serve(work: Callable[[Any], Any], pipe: Connection, begun: Any) -> None:
    """The main loop of a worker process, until the pipe or the parent ends."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(
        os.open(os.devnull, os.O_WRONLY), 2
    )  # discard messages of the decoders; exceptions are sent through the pipe
    pipe.send(("ready", None))
    while True:
        try:
            _answer(work, pipe.recv(), pipe, begun)
        except UserError as error:
            pipe.send(("raised", error))
        except Exception as error:
            is_expected = isinstance(error, OSError) and is_for_the_user(error)  # for example a full disk
            pipe.send(("raised", error if is_expected else RuntimeError(traceback.format_exc())))


def _answer(work: Callable[[Any], Any], items: list[Any], pipe: Connection, begun: Any) -> None:
    """Send the results of `items` in batches."""
    done, sent = [], time.monotonic()
    for item in items:
        begun.value += 1
        done.append(work(item))
        if len(done) == BATCH or time.monotonic() > sent + DELAY:
            pipe.send(("done", done))
            done, sent = [], time.monotonic()
    if done:
        pipe.send(("done", done))
