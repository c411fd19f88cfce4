"""The rate limit of each host (concurrent requests, requests per second, pauses) and the task queue that respects it.

icrawler's queue is first in, first out: one slow host would delay all others. `HostQueue` keeps one queue for each host
and returns a task only when its host may be requested.
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

from pipeline.crawl.request import RequestFault, ResponseOrRedirect
from pipeline.crawl.transport import names_private
from pipeline.options import DownloadOptions

DEFAULT_CONNECTIONS, DEFAULT_RATE = 6, 10.0  # for public hosts, requests at once and per second; browsers open six
GIVE_UP_SECONDS = 120.0  # without a success, after which a host is skipped until the next crawl
GIVE_UP_FAILURES = 10  # failed requests in a row that are needed for that
MIN_SLOWDOWN = 0.1  # seconds between requests after a host reported an overload, doubled by each further report
SLOWDOWN_DECAY = 0.95  # factor after each success
OVERLOAD_STATUSES = {429, 503}  # Too Many Requests, Service Unavailable
MAX_HOSTS = 10_000  # that are remembered, as a list may have a million


@dataclass
class HostLimit:
    """The rate limit of one host and the state of its requests. Times are in seconds of the limiter's clock."""

    max_active: int
    interval: float  # seconds between the starts of two requests
    active: int = 0
    priority_waiting: int = 0  # waiting requests for pages, which go before pictures
    ready_at: float = 0.0
    paused_until: float = 0.0
    slowdown: float = 0.0  # minimum seconds between the starts of two requests after the host reported an overload
    last_success: float = math.inf  # when a request last succeeded; of the first request if none did
    failures: int = 0  # since `last_success`
    last_fault: str = ""

    def seconds_until_free(self, now: float, *, priority: bool) -> float:
        """Seconds until a request may start; infinite if another request must end or start first."""
        if self.active >= self.max_active or (self.priority_waiting and not priority):
            return math.inf
        return max(0.0, self.ready_at - now)

    def is_idle(self, now: float) -> bool:
        """Whether the next request would be treated like the first one."""
        in_use = self.active or self.priority_waiting or self.failures or self.slowdown > MIN_SLOWDOWN / 10
        return not in_use and self.ready_at <= now


Tell = Callable[[str, Any], None]


def tell_nobody(kind: str, value: Any) -> None:
    """A `Tell` for the only process of a crawl."""


class RateLimiter:
    """The rate limits of all hosts of a crawl. Changes are made while holding `condition`, which threads wait for.

    Args:
        tell: is told ("share", host) of a host without any limit, once its robots.txt is known, and ("pause", (host,
            seconds)) of one that gets a limit, so that several processes may ask the first but only one the second.
    """

    def __init__(
        self, options: DownloadOptions, clock: Callable[[], float] = time.monotonic, tell: Tell = tell_nobody
    ) -> None:
        self.options, self.clock, self.tell = options, clock, tell
        self.condition = threading.Condition()
        self._hosts: OrderedDict[str, HostLimit] = OrderedDict()

    def try_acquire(self, host: str, *, priority: bool = False) -> float:
        """Start a request to `host` and return 0, or return the seconds after which to try again. Call it holding
        `condition`.

        Args:
            host: as in `Request.host`; empty for files, which have no limit.
            priority: for pages, which go before pictures because they bring new work.
        """
        if not host:
            return 0.0
        host_limit, now = self._host_limit(host), self.clock()
        if seconds := host_limit.seconds_until_free(now, priority=priority):
            return seconds
        host_limit.active += 1
        host_limit.ready_at = now + max(host_limit.interval, host_limit.slowdown)
        host_limit.last_success = min(host_limit.last_success, now)
        return 0.0

    def release(self, host: str) -> None:
        """End a request to `host`."""
        if not host:
            return
        with self.condition:
            host_limit = self._host_limit(host)
            host_limit.active -= 1
            if host_limit.priority_waiting:
                self.condition.notify_all()  # a single notification might wake a thread without priority
            else:
                self.condition.notify()

    def acquire(self, host: str, stopped: Callable[[], bool]) -> bool:
        """Wait until a request to `host` may start, with priority over pictures; False if `stopped()` becomes true
        first.
        """
        with self.condition:
            host_limit = self._host_limit(host)
            host_limit.priority_waiting += 1
            try:
                while not stopped():
                    seconds = self.try_acquire(host, priority=True)
                    if not seconds:
                        return True
                    self.condition.wait(min(seconds, 0.2))
                return False
            finally:
                host_limit.priority_waiting -= 1
                self.condition.notify_all()

    def set_crawl_delay(self, host: str, delay: float) -> None:
        """Apply robots.txt: `delay` seconds between requests, one at a time; without a delay the host's full limit."""
        with self.condition:
            host_limit = self._host_limit(host)
            host_limit.interval = max(host_limit.interval, delay)
            host_limit.max_active = 1 if delay else self._limits(host)[0]
            host_limit.ready_at = max(host_limit.ready_at, self.clock() + delay)
            self._tell_limit(host, host_limit, delay)
            self.condition.notify_all()

    def pause(self, host: str, seconds: float, *, is_told: bool = False) -> None:
        """Pause `host` for some seconds after it reported an overload, and slow down later requests.

        Without the slowdown the same burst of requests would come again after the pause. Each success reduces it a
        little. With `is_told` another process has told of it.
        """
        if not is_told:
            self.tell("pause", (host, seconds))
        with self.condition:
            host_limit, now = self._host_limit(host), self.clock()
            if now >= host_limit.paused_until:  # count the overload once for all requests of one burst
                host_limit.slowdown = max(2 * host_limit.slowdown, MIN_SLOWDOWN)
            host_limit.paused_until = max(host_limit.paused_until, now + seconds)
            host_limit.ready_at = max(host_limit.ready_at, host_limit.paused_until)

    def record(self, host: str, result: ResponseOrRedirect) -> None:
        """Record whether a request to `host` succeeded: a body, a redirect or an ordinary error status."""
        with self.condition:
            host_limit = self._host_limit(host)
            if isinstance(result, RequestFault) and (not result.host_answered or result.status in OVERLOAD_STATUSES):
                host_limit.failures, host_limit.last_fault = host_limit.failures + 1, result.reason
            else:
                host_limit.failures, host_limit.last_success = 0, self.clock()
                host_limit.slowdown *= SLOWDOWN_DECAY

    def given_up(self, host: str) -> str:
        """Why `host` is skipped for the rest of this crawl; empty if it is not."""
        with self.condition:
            host_limit = self._host_limit(host)
            lost = host_limit.failures >= GIVE_UP_FAILURES and self.clock() - host_limit.last_success > GIVE_UP_SECONDS
            return f"host given up: {host_limit.last_fault}" if lost else ""

    def _host_limit(self, host: str) -> HostLimit:
        if host in self._hosts:
            self._hosts.move_to_end(host)
        else:
            max_active, interval = self._limits(host)
            # One request until robots.txt is read: others would only wait for it and block threads for other hosts.
            self._hosts[host] = HostLimit(max_active=1 if self.options.robots else max_active, interval=interval)
            if not self.options.robots:
                self._tell_limit(host, self._hosts[host], 0.0)
            self._forget_idle()
        return self._hosts[host]

    def _tell_limit(self, host: str, host_limit: HostLimit, delay: float) -> None:
        """Tell whether a host that has no limit by the options has none."""
        if not self.is_unlimited(host):
            return
        if delay or host_limit.slowdown:
            self.tell("pause", (host, delay))
        else:
            self.tell("share", host)

    def is_unlimited(self, host: str) -> bool:
        """Whether the options limit requests to `host` no more than those to all hosts together."""
        max_active, interval = self._limits(host)
        return not interval and max_active >= self.options.connections

    def _forget_idle(self) -> None:
        """Forget the hosts that were asked longest ago, beyond `MAX_HOSTS`, if that changes nothing for them."""
        now = self.clock()
        for host in list(itertools.islice(self._hosts, max(0, len(self._hosts) - MAX_HOSTS))):
            if self._hosts[host].is_idle(now):
                del self._hosts[host]
            else:
                self._hosts.move_to_end(host)

    def _limits(self, host: str) -> tuple[int, float]:
        """The maximum number of concurrent requests, and the minimum number of seconds between two."""
        private = names_private(f"http://{host}")
        auto = (self.options.connections, math.inf) if private else (DEFAULT_CONNECTIONS, DEFAULT_RATE)
        return self.options.host_connections or auto[0], 1 / (self.options.host_rate or auto[1])


Task = dict[str, Any]  # icrawler's task; its "request" has the next host
END = object()  # the last item of a queue


class HostQueue:
    """A queue of tasks for each host, served round-robin. It has no size limit."""

    def __init__(self, rate_limiter: RateLimiter) -> None:
        self._rate_limiter = rate_limiter
        self._condition = rate_limiter.condition
        self._queues: OrderedDict[str, deque[Task]] = OrderedDict()
        self._delayed: list[tuple[float, int, Task]] = []
        self._counter = itertools.count()
        self._unfinished = 0
        self._closed = self._stopped = False

    def put(self, task: Task, block: bool = True, timeout: float | None = None) -> None:
        """Append a new task to the queue of its host; icrawler passes the last two arguments, which have no effect."""
        with self._condition:
            self._unfinished += 1
            self._queue_of(task).append(task)
            self._condition.notify()

    def put_back(self, task: Task) -> None:
        """Put an unfinished task back in front of the other tasks of its host, after its delay if it has one."""
        with self._condition:
            if task["request"].delay:
                due_at = self._rate_limiter.clock() + task["request"].delay
                heapq.heappush(self._delayed, (due_at, next(self._counter), task))
            else:
                self._queue_of(task).appendleft(task)
            self._condition.notify()

    def task_done(self) -> None:
        """Mark a task as finished."""
        with self._condition:
            self._unfinished -= 1
            if not self._unfinished:
                self._condition.notify_all()

    def withdraw(self, host: str) -> list[Task]:
        """Take away all tasks of a host, which are finished here."""
        with self._condition:
            tasks = [*self._queues.pop(host, ()), *(task for *_, task in self._delayed if task["request"].host == host)]
            self._delayed = [each for each in self._delayed if each[2]["request"].host != host]
            heapq.heapify(self._delayed)
            self._unfinished -= len(tasks)
            return tasks

    def close(self) -> None:
        """Announce that no new task will be put."""
        with self._condition:
            if not self._closed:
                self._closed = True
                self._condition.notify_all()

    def stop(self) -> None:
        """Return no more tasks; end all waits."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def get(self) -> Task | None:
        """Wait for a task whose host may be requested, and acquire that host; None if no more tasks can come."""
        with self._condition:
            while not self._stopped and not (self._closed and not self._unfinished):
                self._requeue_due()
                task, seconds = self._next()
                if task is not None:
                    return task
                self._condition.wait(None if seconds == math.inf else seconds)
        return None

    def _queue_of(self, task: Task) -> deque[Task]:
        return self._queues.setdefault(task["request"].host, deque())

    def _requeue_due(self) -> None:
        """Move tasks whose delay is over in front of the other tasks of their hosts."""
        now = self._rate_limiter.clock()
        while self._delayed and self._delayed[0][0] <= now:
            task = heapq.heappop(self._delayed)[2]
            self._queue_of(task).appendleft(task)

    def _next(self) -> tuple[Task | None, float]:
        """The first task whose host may be requested now, or the seconds until one may be."""
        seconds = self._delayed[0][0] - self._rate_limiter.clock() if self._delayed else math.inf
        for host in self._queues:
            wait = self._rate_limiter.try_acquire(host)
            if not wait:
                return self._pop(host), 0.0
            seconds = min(seconds, wait)
        return None, max(seconds, 0.001)

    def _pop(self, host: str) -> Task:
        queue = self._queues[host]
        task = queue.popleft()
        self._queues.move_to_end(host)
        if not queue:
            del self._queues[host]
        return task
