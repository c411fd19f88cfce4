"""The rate limit of each host."""

import math
import threading
import time

import pytest

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import RequestFault, Response
from pipeline.options import DownloadOptions

OTHER_HOST, LOCAL_HOST = "a.example", "127.0.0.1:80"


@pytest.fixture
def clock():
    """A clock that a test moves forward."""
    now = [1000.0]

    def current_time():
        return now[0]

    current_time.go = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return current_time


def rate_limiter(clock, **options):
    return RateLimiter(DownloadOptions(**{"robots": False, **options}), clock=clock)


def test_host_connections_limits_concurrent_requests(clock):
    limiter = rate_limiter(clock, host_connections=2, host_rate=1e6)
    for _ in range(2):
        assert limiter.try_acquire(OTHER_HOST) == 0
        clock.go(1)
    assert limiter.try_acquire(OTHER_HOST) == math.inf
    limiter.release(OTHER_HOST)
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_host_rate_limits_requests_per_second(clock):
    limiter = rate_limiter(clock, host_rate=4)
    assert limiter.try_acquire(OTHER_HOST) == 0
    assert limiter.try_acquire(OTHER_HOST) == pytest.approx(0.25)
    clock.go(0.25)
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_default_limits_apply_to_public_hosts_only(clock):
    limiter = rate_limiter(clock, connections=50)
    started = dict.fromkeys((OTHER_HOST, LOCAL_HOST), 0)
    for _ in range(1000):
        for host in started:
            started[host] += limiter.try_acquire(host) == 0
        clock.go(0.01)
    assert started == {OTHER_HOST: 6, LOCAL_HOST: 50}


def test_each_host_has_its_own_rate_limit(clock):
    limiter = rate_limiter(clock, host_connections=1)
    assert [limiter.try_acquire(host) for host in (OTHER_HOST, "b.example")] == [0, 0]


def test_one_request_at_a_time_until_robots_txt_is_known(clock):
    limiter = rate_limiter(clock, robots=True, host_rate=1e6)
    assert limiter.try_acquire(OTHER_HOST) == 0
    clock.go(1)
    assert limiter.try_acquire(OTHER_HOST) == math.inf
    limiter.set_crawl_delay(OTHER_HOST, 0)
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_crawl_delay_allows_one_request_at_a_time(clock):
    limiter = rate_limiter(clock, host_connections=4)
    limiter.set_crawl_delay(OTHER_HOST, 7)
    clock.go(7)
    assert limiter.try_acquire(OTHER_HOST) == 0
    clock.go(8)
    assert limiter.try_acquire(OTHER_HOST) == math.inf
    limiter.release(OTHER_HOST)
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_pause_blocks_host_until_it_is_over(clock):
    limiter = rate_limiter(clock)
    limiter.pause(OTHER_HOST, 30)
    assert limiter.try_acquire(OTHER_HOST) == 30
    clock.go(30)
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_pages_have_priority_over_pictures(clock):
    limiter = rate_limiter(time.monotonic, host_connections=1, host_rate=1e6)
    assert limiter.try_acquire(OTHER_HOST) == 0
    acquired = []
    waiting = threading.Thread(target=lambda: acquired.append(limiter.acquire(OTHER_HOST, lambda: False)))
    waiting.start()
    while not limiter._hosts[OTHER_HOST].priority_waiting:
        time.sleep(0.001)
    with limiter.condition:
        limiter._hosts[OTHER_HOST].active -= 1  # like `release`, before the waiting thread can wake
        assert limiter.try_acquire(OTHER_HOST) == math.inf
        limiter.condition.notify_all()
    waiting.join(5)
    assert acquired == [True]


def test_acquire_returns_false_after_stop(clock):
    limiter = rate_limiter(clock, host_connections=1)
    limiter.try_acquire(OTHER_HOST)
    assert limiter.acquire(OTHER_HOST, lambda: True) is False


TIMEOUT = RequestFault(reason="timeout", passing=True, host_answered=False)


@pytest.mark.parametrize("fault", [TIMEOUT, RequestFault(reason="HTTP 429", status=429, passing=True)])
def test_host_is_given_up_after_long_failures(clock, fault):
    limiter = rate_limiter(clock)
    for _ in range(20):
        limiter.try_acquire(OTHER_HOST)
        limiter.record(OTHER_HOST, fault)
        limiter.release(OTHER_HOST)
        assert limiter.given_up(OTHER_HOST) == ""
        clock.go(6)
    clock.go(1)
    assert limiter.given_up(OTHER_HOST) == f"host given up: {fault.reason}"


@pytest.mark.parametrize(
    "good", [Response(url="", data=b""), RequestFault(reason="HTTP 404", status=404), "http://elsewhere"]
)
def test_host_with_occasional_successes_is_not_given_up(clock, good):
    limiter = rate_limiter(clock)
    for number in range(100):
        limiter.try_acquire(OTHER_HOST)
        limiter.record(OTHER_HOST, good if number % 10 == 0 else TIMEOUT)
        limiter.release(OTHER_HOST)
        clock.go(6)
        assert limiter.given_up(OTHER_HOST) == ""


def test_empty_host_has_no_rate_limit(clock):
    limiter = rate_limiter(clock, host_connections=1)
    assert [limiter.try_acquire("") for _ in range(3)] == [0, 0, 0]
    limiter.release("")


def test_slowdown_after_overload_decays_with_successes(clock):
    limiter = rate_limiter(clock)
    for _ in range(3):  # three reports of one burst count once
        limiter.pause(LOCAL_HOST, 1)
    clock.go(1)
    assert limiter.try_acquire(LOCAL_HOST) == 0
    assert limiter.try_acquire(LOCAL_HOST) == pytest.approx(0.1)
    for _ in range(60):
        limiter.record(LOCAL_HOST, "http://elsewhere")
    clock.go(0.1)
    assert limiter.try_acquire(LOCAL_HOST) == 0
    assert limiter.try_acquire(LOCAL_HOST) < 0.01
