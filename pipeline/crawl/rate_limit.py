"""The rate limit of each host: concurrent requests, requests per second, pauses, and when a host is given up."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.crawl.request import RequestFault, ResponseOrRedirect
from pipeline.crawl.transport import names_private
from pipeline.options import DownloadOptions

DEFAULT_CONNECTIONS, DEFAULT_RATE = 6, 10.0  # for public hosts, requests at once and per second; browsers open six
GIVE_UP_SECONDS = 120.0  # without a success, after which a host is skipped until the next crawl
GIVE_UP_FAILURES = 10  # failed requests in a row that are needed for that
MAX_PAUSE = 60.0  # seconds; a host whose Retry-After is longer is skipped until the next crawl
LONG_PAUSE = "it asks for a long pause"
MIN_SLOWDOWN = 0.1  # seconds between requests after a host reported an overload, doubled by each further report
MAX_SLOWDOWN = 1.0  # by reports without Retry-After: some servers answer 503 for single URLs that are broken
BURST_SECONDS = 1.0  # in which reports without Retry-After count as one
SLOWDOWN_DECAY = 0.95  # factor after each success
OVERLOAD_STATUSES = {429, 503}  # Too Many Requests, Service Unavailable
MAX_HOSTS = 10_000  # that are remembered, as a list may have a million; and as many that are given up
CHECKED_TOGETHER = 4  # hosts that may be forgotten for each new one


@dataclass
class HostLimit:
    """The rate limit of one host and the state of its requests. Times are in seconds of the limiter's clock."""

    max_active: int
    interval: float  # seconds between the starts of two requests
    active: int = 0
    priority_waiting: int = 0  # waiting requests for pages, which go before pictures
    ready_at: float = 0.0
    burst_until: float = 0.0  # until when further reports of an overload belong to the last one
    slowdown: float = 0.0  # minimum seconds between the starts of two requests after the host reported an overload
    last_success: float = math.inf  # when a request last succeeded; of the first request if none did
    failures: int = 0  # since `last_success`
    last_fault: str = ""
    knows_robots: bool = False  # robots.txt was applied

    def seconds_until_free(self, now: float, *, priority: bool) -> float:
        """Seconds until a request may start; infinite if another request must end or start first."""
        if self.active >= self.max_active or (self.priority_waiting and not priority):
            return math.inf
        return max(0.0, self.ready_at - now)

    def is_idle(self, now: float) -> bool:
        """Whether the next request would be treated like the first one, or the last one is long ago."""
        if self.active or self.priority_waiting or self.ready_at > now:
            return False
        is_new = not self.failures and self.slowdown <= MIN_SLOWDOWN / 10
        return is_new or now - self.ready_at > GIVE_UP_SECONDS


Notify = Callable[[str, Any], None]


def notify_nobody(kind: str, value: Any) -> None:
    """A `Notify` for the only process of a crawl."""


def whole_share(host: str) -> float:
    """The `share_of` the only process of a crawl."""
    return 1.0


class RateLimiter:
    """The rate limits of all hosts of a crawl. Changes are made while holding `condition`, which threads wait for.

    Args:
        notify: is called with ("share", host) for a host without any limit, once its robots.txt is known, and with
            ("pause", (host, seconds)) for one that gets a limit, so that several processes may ask the first but only
            one the second.
        share_of: the share of the limits of a host that this process may use.
    """

    def __init__(
        self,
        options: DownloadOptions,
        clock: Callable[[], float] = time.monotonic,
        notify: Notify = notify_nobody,
        share_of: Callable[[str], float] = whole_share,
    ) -> None:
        self.options, self.clock, self.notify, self._share_of = options, clock, notify, share_of
        self.condition = threading.Condition()
        self._hosts: OrderedDict[str, HostLimit] = OrderedDict()
        self._given_up: OrderedDict[str, str] = OrderedDict()  # why, by host

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

    def acquire(self, host: str, stopped: Callable[[], bool], deadline: float = math.inf) -> bool:
        """Wait until a request to `host` may start, with priority over pictures; False if `stopped()` becomes true
        first, or if the `deadline` of the limiter's clock is too early.
        """
        with self.condition:
            host_limit = self._host_limit(host)
            host_limit.priority_waiting += 1
            try:
                while not stopped():
                    seconds = self.try_acquire(host, priority=True)
                    if not seconds:
                        return True
                    if self.clock() + (0.0 if seconds == math.inf else seconds) > deadline:
                        return False
                    self.condition.wait(min(seconds, 0.2))
                return False
            finally:
                host_limit.priority_waiting -= 1
                self.condition.notify_all()

    def set_crawl_delay(self, host: str, delay: float) -> None:
        """Apply robots.txt: `delay` seconds between requests, one at a time; without a delay the host's full limit."""
        with self.condition:
            host_limit = self._host_limit(host)
            host_limit.knows_robots = True
            host_limit.interval = max(host_limit.interval, delay)
            host_limit.max_active = 1 if delay else self._limits(host)[0]
            host_limit.ready_at = max(host_limit.ready_at, self.clock() + delay)
            self._notify_of_limit(host, host_limit, delay)
            self.condition.notify_all()

    def knows_robots(self, host: str) -> bool:
        """Whether `set_crawl_delay` was called for `host`, and is not forgotten."""
        host_limit = self._hosts.get(host)  # without the lock, as it is asked before each request
        return host_limit is not None and host_limit.knows_robots

    def pause(self, host: str, seconds: float, *, from_other_process: bool = False) -> None:
        """Pause `host` for some seconds after it reported an overload, and slow down later requests; give it up if it
        asks for more than `MAX_PAUSE`.

        Without the slowdown the same burst of requests would come again after the pause. Each success reduces it a
        little. With `from_other_process` another process has sent notice of it.
        """
        with self.condition:
            if host in self._given_up:
                return
            host_limit, now = self._host_limit(host), self.clock()
            is_first = now >= host_limit.burst_until  # of one burst, whose requests count once
            if is_first:
                slowdown = min(max(2 * host_limit.slowdown, MIN_SLOWDOWN), MAX_PAUSE if seconds else MAX_SLOWDOWN)
                host_limit.slowdown = max(host_limit.slowdown, slowdown)
            host_limit.burst_until = max(host_limit.burst_until, now + (seconds or BURST_SECONDS))
            if seconds > MAX_PAUSE:
                self._give_up(host, LONG_PAUSE)
            else:
                host_limit.ready_at = max(host_limit.ready_at, now + seconds)
            if not from_other_process and (is_first or seconds):
                self.notify("pause", (host, seconds))

    def record(self, host: str, result: ResponseOrRedirect) -> None:
        """Record whether a request to `host` succeeded: a body, a redirect or an ordinary error status; and pause the
        host if it reports an overload.
        """
        is_overload = isinstance(result, RequestFault) and result.status in OVERLOAD_STATUSES
        with self.condition:
            host_limit = self._host_limit(host)
            if isinstance(result, RequestFault) and (is_overload or not result.host_answered):
                host_limit.failures, host_limit.last_fault = host_limit.failures + 1, result.reason
            else:
                host_limit.failures, host_limit.last_success = 0, self.clock()
                host_limit.slowdown *= SLOWDOWN_DECAY
            if isinstance(result, RequestFault) and is_overload:
                self.pause(host, result.retry_after or 0.0)

    def given_up(self, host: str) -> str:
        """Why `host` is skipped for the rest of this crawl; empty if it is not."""
        with self.condition:
            host_limit = self._host_limit(host)
            if host_limit.failures >= GIVE_UP_FAILURES and self.clock() - host_limit.last_success > GIVE_UP_SECONDS:
                self._give_up(host, host_limit.last_fault)
            return f"host given up: {self._given_up[host]}" if host in self._given_up else ""

    def _give_up(self, host: str, reason: str) -> None:
        """Skip `host` from now on. No request is sent to it, so nothing limits how fast its URLs get their outcome."""
        self._given_up.setdefault(host, reason)
        if len(self._given_up) > MAX_HOSTS:
            self._given_up.popitem(last=False)
        host_limit = self._hosts[host]
        host_limit.max_active, host_limit.interval = self.options.connections, 0.0
        host_limit.failures = host_limit.slowdown = host_limit.ready_at = 0
        self.condition.notify_all()

    def _host_limit(self, host: str) -> HostLimit:
        if host in self._hosts:
            self._hosts.move_to_end(host)
            return self._hosts[host]
        max_active, interval = (self.options.connections, 0.0) if host in self._given_up else self._limits(host)
        # One request until robots.txt is read: others would only wait for it and block threads for other hosts.
        awaits_robots = self.options.robots and host not in self._given_up
        host_limit = self._hosts[host] = HostLimit(max_active=1 if awaits_robots else max_active, interval=interval)
        if not self.options.robots:
            self._notify_of_limit(host, host_limit, 0.0)
        self._forget_idle()
        return host_limit

    def _notify_of_limit(self, host: str, host_limit: HostLimit, delay: float) -> None:
        """Notify others whether a host that has no limit by the options has none."""
        if not self.is_unlimited(host):
            return
        if delay or host_limit.slowdown:
            self.notify("pause", (host, delay))
        else:
            self.notify("share", host)

    def is_unlimited(self, host: str) -> bool:
        """Whether the options limit requests to `host` no more than those to all hosts together."""
        max_active, interval = self._limits_by_options(host)
        return not interval and max_active >= self.options.connections

    def _forget_idle(self) -> None:
        """Forget some of the hosts that were asked longest ago, beyond `MAX_HOSTS`, if they are idle."""
        now = self.clock()
        for _ in range(min(CHECKED_TOGETHER, len(self._hosts) - MAX_HOSTS)):
            host = next(iter(self._hosts))
            if self._hosts[host].is_idle(now):
                del self._hosts[host]
            else:
                self._hosts.move_to_end(host)

    def _limits(self, host: str) -> tuple[int, float]:
        """The limits of this process."""
        (max_active, interval), share = self._limits_by_options(host), self._share_of(host)
        if share == 1.0 or self.is_unlimited(host):
            return max_active, interval
        return max(1, int(max_active * share)), interval / share

    def _limits_by_options(self, host: str) -> tuple[int, float]:
        """The maximum number of concurrent requests, and the minimum number of seconds between two."""
        private = names_private(f"http://{host}")
        auto = (self.options.connections, math.inf) if private else (DEFAULT_CONNECTIONS, DEFAULT_RATE)
        return self.options.host_connections or auto[0], 1 / (self.options.host_rate or auto[1])
