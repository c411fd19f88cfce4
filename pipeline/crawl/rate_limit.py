"""The rate limit of each host: requests at once, requests a second, pauses; and the queue that respects it.

icrawler's queue is first in, first out: one slow host would hold up all others. `HostQueue` keeps one queue for each
host and hands out a task only when its host may be asked.
"""

import heapq
import itertools
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.request import Fault, Response
from pipeline.crawl.transport import names_private
from pipeline.options import DownloadOptions

AT_ONCE, A_SECOND = 6, 10.0  # for hosts of others, unless the user says otherwise; browsers open six
PATIENCE = 120.0  # seconds without one good answer after which a host is given up until the next crawl
TRIES = 10  # at least so many requests must have gone wrong by then
SLOWED, EASED = 0.1, 0.95  # seconds between requests to a host that was asked too much, at least; and how they shrink
REFUSALS = {429, 503}  # statuses by which a server says that it is asked too much


@dataclass
class HostLimit:
    """What is known of one host, and how it is being asked just now."""

    at_once: int
    interval: float  # seconds between the starts of two requests
    active: int = 0
    first: int = 0  # requests that wait and go before pictures
    ready_at: float = 0.0
    rests_until: float = 0.0
    slowed: float = 0.0  # seconds between the starts of two requests that the host has taught us, beside `interval`
    good_at: float = math.inf  # of the last good answer, or of the first request if there was none
    failures: int = 0  # since then
    trouble: str = ""

    def seconds(self, now: float, *, first: bool) -> float:
        """How long until a request may start; infinite while it is others that must end or begin before."""
        if self.active >= self.at_once or (self.first and not first):
            return math.inf
        return max(0.0, self.ready_at - now)


class RateLimiter:
    """All hosts of a crawl. Every change is made under `changed`, which threads may wait for."""

    def __init__(self, options: DownloadOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self.clock = clock
        self.changed = threading.Condition()
        self._hosts: dict[str, HostLimit] = {}

    def begin(self, host: str, *, first: bool = False) -> float:
        """Take a turn at `host` and return 0; or the seconds after which it is worth asking again. Holds `changed`.

        `first` goes before others: pages, which bring new work. What is on no host, as a file, needs no turn.
        """
        if not host:
            return 0.0
        found, now = self._host(host), self.clock()
        if seconds := found.seconds(now, first=first):
            return seconds
        found.active += 1
        found.ready_at = now + max(found.interval, found.slowed)
        found.good_at = min(found.good_at, now)
        return 0.0

    def end(self, host: str) -> None:
        """Give a turn back."""
        if not host:
            return
        with self.changed:
            found = self._host(host)
            found.active -= 1
            if found.first:
                self.changed.notify_all()  # one alone might be another than who goes first
            else:
                self.changed.notify()

    def wait(self, host: str, stopped: Callable[[], bool]) -> bool:
        """Wait for a turn at `host`, before those who ask for pictures; false once `stopped()`."""
        with self.changed:
            found = self._host(host)
            found.first += 1
            try:
                while not stopped():
                    seconds = self.begin(host, first=True)
                    if not seconds:
                        return True
                    self.changed.wait(min(seconds, 0.2))
                return False
            finally:
                found.first -= 1
                self.changed.notify_all()

    def learn(self, host: str, delay: float) -> None:
        """robots.txt is known, and asks for `delay` seconds between requests: more than one at a time may go now."""
        with self.changed:
            found = self._host(host)
            found.interval = max(found.interval, delay)
            found.at_once = 1 if delay else self._limits(host)[0]
            found.ready_at = max(found.ready_at, self.clock() + delay)
            self.changed.notify_all()

    def rest(self, host: str, seconds: float) -> None:
        """Leave `host` alone for so long, as it was asked too much, and ask it more slowly from then on.

        Otherwise the same crowd would come again after the rest. Each good answer quickens the pace a little.
        """
        with self.changed:
            found, now = self._host(host), self.clock()
            if now >= found.rests_until:  # one word for all that were under way
                found.slowed = max(2 * found.slowed, SLOWED)
            found.rests_until = max(found.rests_until, now + seconds)
            found.ready_at = max(found.ready_at, found.rests_until)

    def note(self, host: str, got: Response | Fault | str) -> None:
        """Take down whether `host` gave an answer that is one: a body, a redirect, or a plain no."""
        with self.changed:
            found = self._host(host)
            if isinstance(got, Fault) and (not got.answered or got.status in REFUSALS):
                found.failures, found.trouble = found.failures + 1, got.reason
            else:
                found.failures, found.good_at = 0, self.clock()
                found.slowed *= EASED

    def given_up(self, host: str) -> str:
        """Why `host` is not to be asked any more in this crawl; empty if it is."""
        with self.changed:
            found = self._host(host)
            lost = found.failures >= TRIES and self.clock() - found.good_at > PATIENCE
            return f"host given up: {found.trouble}" if lost else ""

    def _host(self, host: str) -> HostLimit:
        if host not in self._hosts:
            at_once, interval = self._limits(host)
            # One alone until robots.txt is read: the others would only wait for it, and keep threads from other hosts.
            self._hosts[host] = HostLimit(at_once=1 if self.options.robots else at_once, interval=interval)
        return self._hosts[host]

    def _limits(self, host: str) -> tuple[int, float]:
        """Requests at once, and seconds between two."""
        private = names_private(f"http://{host}")
        auto = (self.options.connections, math.inf) if private else (AT_ONCE, A_SECOND)
        return self.options.host_connections or auto[0], 1 / (self.options.host_rate or auto[1])


Task = dict[str, Any]  # icrawler's; its "errand" says which host is next
END = object()  # no more comes


class HostQueue:
    """Tasks in a line for each host, taken from all lines by turns. It has room for all."""

    def __init__(self, hosts: RateLimiter) -> None:
        self._hosts = hosts
        self._changed = hosts.changed
        self._lines: OrderedDict[str, deque[Task]] = OrderedDict()
        self._later: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._unfinished = 0
        self._closed = self._stopped = False

    def put(self, task: Task, block: bool = True, timeout: float | None = None) -> None:
        """Put a new task at the end of its host's line; the last two arguments are icrawler's, and not needed."""
        with self._changed:
            self._unfinished += 1
            self._line(task).append(task)
            self._changed.notify()

    def put_back(self, task: Task) -> None:
        """Put a task that goes on, elsewhere or later, before the others of its host."""
        with self._changed:
            if task["errand"].pause:
                due = self._hosts.clock() + task["errand"].pause
                heapq.heappush(self._later, (due, next(self._order), task))
            else:
                self._line(task).appendleft(task)
            self._changed.notify()

    def done(self) -> None:
        """A task that was handed out is settled."""
        with self._changed:
            self._unfinished -= 1
            if not self._unfinished:
                self._changed.notify_all()

    def close(self) -> None:
        """No new task will be put."""
        with self._changed:
            if not self._closed:
                self._closed = True
                self._changed.notify_all()

    def stop(self) -> None:
        """Hand out nothing any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def get(self) -> Task | None:
        """Wait for a task whose host may be asked, and take the turn at that host; None once no more can come."""
        with self._changed:
            while not self._stopped and not (self._closed and not self._unfinished):
                self._recall()
                task, seconds = self._next()
                if task is not None:
                    return task
                self._changed.wait(None if seconds == math.inf else seconds)
        return None

    def _line(self, task: Task) -> deque[Task]:
        return self._lines.setdefault(task["errand"].host, deque())

    def _recall(self) -> None:
        """Put what has waited long enough before the others of its host."""
        now = self._hosts.clock()
        while self._later and self._later[0][0] <= now:
            task = heapq.heappop(self._later)[2]
            self._line(task).appendleft(task)

    def _next(self) -> tuple[Task | None, float]:
        """The first task whose host may be asked now; or how long until the next one may be."""
        seconds = self._later[0][0] - self._hosts.clock() if self._later else math.inf
        for host in self._lines:
            wait = self._hosts.begin(host)
            if not wait:
                return self._take(host), 0.0
            seconds = min(seconds, wait)
        return None, max(seconds, 0.001)

    def _take(self, host: str) -> Task:
        line = self._lines[host]
        task = line.popleft()
        self._lines.move_to_end(host)
        if not line:
            del self._lines[host]
        return task
