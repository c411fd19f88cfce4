"""The queue of tasks, which respects the rate limit of each host.

icrawler's queue is first in, first out: one slow host would delay all others. `HostQueue` keeps one queue for each host
and returns a task only when its host may be requested.
"""

import heapq
import itertools
import math
from collections import OrderedDict, deque
from typing import Any

from pipeline.crawl.rate_limit import RateLimiter

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
        """Append a new task to the queue of its host, after its delay if it has one; icrawler passes the last two
        arguments, which have no effect.
        """
        with self._condition:
            self._unfinished += 1
            if not self._is_delayed(task):
                self._queue_of(task).append(task)
            self._condition.notify()

    def put_back(self, task: Task) -> None:
        """Put an unfinished task back in front of the other tasks of its host, after its delay if it has one."""
        with self._condition:
            if not self._is_delayed(task):
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

    def _is_delayed(self, task: Task) -> bool:
        """Keep a task that has a delay until that is over; false if it has none."""
        if delay := task["request"].delay:
            heapq.heappush(self._delayed, (self._rate_limiter.clock() + delay, next(self._counter), task))
        return bool(delay)

    def _requeue_due(self) -> None:
        """Move tasks whose delay is over in front of the other tasks of their hosts."""
        now = self._rate_limiter.clock()
        while self._delayed and self._delayed[0][0] <= now:
            task = heapq.heappop(self._delayed)[2]
            task["request"].delay = 0.0  # in case that another process takes over
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
