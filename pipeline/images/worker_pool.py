"""Processes that work through items and may be lost: to a decoder that crashes, or to one that never ends.

A lost process costs the one item that it was at. Items go out and results come back some at a time, so that neither
side waits for the other; how far a process has come it writes into memory that both see.
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.errors import Stopped, UserError, is_for_the_user
from pipeline.images.rejected import CRASHED, TOO_SLOW
from pipeline.progress import ShouldStop

SHARD = 16  # items that a process has before it, at most
BATCH = 8  # results that it sends at a time, and new items that it is sent
DELAY = 0.1  # seconds after which it sends what it has
TRIES = 2  # the second in a process that the first did not harm, or once memory is there again
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of the libraries under NumPy
POLL = 0.2  # seconds between looks at the request to stop and at the clock


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The result of an item that took its process down, or that had to be ended, each time it was tried."""

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
    """Call `take(item, work(item))` here for every item, in the order in which they are done, `work` being elsewhere.

    `work` and the items must be picklable, the items hashable. An item that ends its process or takes more than
    `seconds` is tried once more, then its result is `Lost`. What `work` raises is raised here: a `UserError` as it is,
    the `OSError` of a full disk or its like too, anything else as a `RuntimeError` with the traceback. Raises `Stopped`
    once `should_stop()`. No process outlives this call, nor for long this process, however that ends.
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
        """Begin with `count` processes."""
        self.workers = [_Worker(self.work, self.seconds) for _ in range(count)]

    def busy(self) -> bool:
        """Whether any item is still to be done."""
        return bool(self.waiting) or any(worker.shard for worker in self.workers)

    def step(self) -> None:
        """Hand out shards, wait a moment for results, and replace the processes that were lost."""
        for worker in self.workers:
            worker.fill(self.waiting)
        heard = wait([worker.pipe for worker in self.workers], timeout=POLL)
        for place, worker in enumerate(self.workers):
            if reason := self._listen(worker) if worker.pipe in heard else worker.late():
                self._lose(worker, reason)
                self.workers[place] = _Worker(self.work, self.seconds)

    def end(self) -> None:
        """End every process, whatever it is at."""
        for worker in self.workers:
            worker.end()

    def _listen(self, worker: "_Worker") -> str:
        """Take one thing that `worker` has sent; why it is lost, if it is."""
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
    """One process, and the items that it has not answered yet."""

    def __init__(self, work: Callable[..., Any], seconds: float) -> None:
        # spawn: a fork would copy the threads' locks and all memory of a process that may be large
        context = multiprocessing.get_context("spawn")
        self.shard: deque[Any] = deque()
        self.seconds, self.ready, self.since = seconds, False, time.monotonic()
        self.begun = context.RawValue("L", 0)  # items that it has begun with
        self.answered = self.seen = 0
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(work, there, self.begun), daemon=True)
        with _interrupts_held(), _one_thread_each():
            self.process.start()
        there.close()

    def fill(self, waiting: deque[Any]) -> None:
        """Send more items before the last are done: no process waits for this one."""
        room = SHARD - len(self.shard)
        if room < BATCH or not self.ready or not waiting:
            return
        if not self.shard:
            self.since = time.monotonic()
        items = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        self.shard.extend(items)
        with suppress(OSError):  # it is gone: the next look at its pipe finds that out
            self.pipe.send(items)

    def heed(self, kind: str, value: Any) -> list[tuple[Any, Any]]:
        """The items that are done with their results; none for the word that the process has begun."""
        self.since = time.monotonic()
        if kind == "raised":
            raise value
        if kind == "ready":
            self.ready = True
            return []
        self.answered += len(value)
        return [(self.shard.popleft(), result) for result in value]

    def take_current(self) -> Any:
        """Take out the item that the process was at; those before it are done, but not yet answered."""
        place = max(self.begun.value - self.answered - 1, 0)
        current = self.shard[place]
        del self.shard[place]
        return current

    def late(self) -> str:
        """`TOO_SLOW` if the item it is at has taken too long, else nothing."""
        if self.begun.value != self.seen:
            self.seen, self.since = self.begun.value, time.monotonic()
        return TOO_SLOW if self.shard and time.monotonic() - self.since > self.seconds else ""

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start a process so that Ctrl-C in the terminal, which goes to all, does not reach it: its parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Start a process whose matrix products take one core: the processes have the cores among them."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ |= dict.fromkeys(THREADS, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(work: Callable[[Any], Any], pipe: Connection, begun: Any) -> None:
    """The other side: answer items until the pipe or the parent ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the decoders' own chatter; what is raised goes through the pipe
    pipe.send(("ready", None))
    while True:
        try:
            _answer(work, pipe.recv(), pipe, begun)
        except UserError as error:
            pipe.send(("raised", error))
        except Exception as error:
            told = isinstance(error, OSError) and is_for_the_user(error)  # a full disk, say
            pipe.send(("raised", error if told else RuntimeError(traceback.format_exc())))


def _answer(work: Callable[[Any], Any], items: list[Any], pipe: Connection, begun: Any) -> None:
    """Send the results of `items`, some at a time."""
    done, sent = [], time.monotonic()
    for item in items:
        begun.value += 1
        done.append(work(item))
        if len(done) == BATCH or time.monotonic() > sent + DELAY:
            pipe.send(("done", done))
            done, sent = [], time.monotonic()
    if done:
        pipe.send(("done", done))


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)
