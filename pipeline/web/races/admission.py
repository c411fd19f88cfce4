"""How many new voters, and how many requests, are taken from one address, so that a stranger cannot fill a race."""

import threading
import time
from collections import deque
from collections.abc import Callable

NEW_VOTERS, HOUR = 60, 3600.0  # of one address; a class behind one router has half as many
VOTES, MINUTE = 120, 60.0
MAX_ADDRESSES = 10_000  # remembered


class Allowance:
    """At most `most` events of one name in `seconds`; held in memory only."""

    def __init__(self, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self._events: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Count an event of `name`; False if there were too many."""
        now = self.clock()
        with self._lock:
            if name not in self._events and len(self._events) >= MAX_ADDRESSES:
                self._forget(now)
            events = self._events.setdefault(name, deque())
            while events and now - events[0] >= self.seconds:
                events.popleft()
            if len(events) >= self.most:
                return False
            events.append(now)
            return True

    def _forget(self, now: float) -> None:
        """Forget the names whose events are over; if that frees nothing, all."""
        over = [name for name, events in self._events.items() if not events or now - events[-1] >= self.seconds]
        for name in over or list(self._events):
            del self._events[name]
