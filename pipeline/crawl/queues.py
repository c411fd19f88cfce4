"""The queue between parser and downloaders: a task is handed out when its host may be asked.

icrawler's own is first in, first out, so that a slow host or one that is asked rarely would hold up all others; and it
drops what it has no room for.
"""

import heapq
import itertools
import math
from collections import OrderedDict, deque
from typing import Any

from pipeline.crawl.pace import Hosts

Task = dict[str, Any]  # icrawler's; its "errand" says which host is next
END = object()  # no more comes


class HostQueue:
    """Tasks in a line for each host, taken from all lines by turns. It has room for all."""

    def __init__(self, hosts: Hosts) -> None:
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
