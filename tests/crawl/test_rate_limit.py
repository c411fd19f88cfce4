"""The rate limit of each host."""

import math
import threading
import time

import pytest

from pipeline.crawl import rate_limit
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


BUSY = RequestFault(reason="HTTP 429", status=429, passing=True)


def test_overload_without_retry_after_slows_a_host_down_once_for_each_burst(clock):
    told = []
    limiter = RateLimiter(
        DownloadOptions(robots=False), clock=clock, notify=lambda kind, value: told.append((kind, value))
    )
    for _ in range(3):
        limiter.record(LOCAL_HOST, BUSY)
    assert told == [("share", LOCAL_HOST), ("pause", (LOCAL_HOST, 0.0))]
    assert limiter.try_acquire(LOCAL_HOST) == 0
    assert limiter.try_acquire(LOCAL_HOST) == pytest.approx(0.1)
    for _ in range(20):
        clock.go(2)
        limiter.record(LOCAL_HOST, BUSY)
    assert limiter.try_acquire(LOCAL_HOST) == 0
    assert limiter.try_acquire(LOCAL_HOST) == pytest.approx(1), "not slower for ever, as single URLs may be broken"


def test_retry_after_pauses_a_host_and_one_of_more_than_a_minute_gives_it_up(clock):
    limiter = rate_limiter(clock)
    limiter.record(OTHER_HOST, RequestFault(reason="HTTP 503", status=503, passing=True, retry_after=60))
    assert limiter.given_up(OTHER_HOST) == ""
    assert limiter.try_acquire(OTHER_HOST) == 60
    limiter.record(OTHER_HOST, RequestFault(reason="HTTP 503", status=503, passing=True, retry_after=61))
    assert limiter.given_up(OTHER_HOST) == "host given up: it asks for a long pause"
    assert limiter.given_up(LOCAL_HOST) == ""
    assert limiter.try_acquire(OTHER_HOST) == 0, "its URLs get their outcome at once"
    assert limiter.try_acquire(OTHER_HOST) == 0


def test_hosts_are_forgotten_beyond_a_number_also_dead_ones(clock, monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_HOSTS", 50)
    limiter = rate_limiter(clock)
    for number in range(1000):
        host = f"h{number}.example:80"
        limiter.try_acquire(host)
        limiter.record(host, TIMEOUT)
        limiter.release(host)
        clock.go(1)
    assert len(limiter._hosts) < 50 + rate_limit.GIVE_UP_SECONDS + 10


def test_a_host_that_is_given_up_stays_so_when_its_limit_is_forgotten(clock, monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_HOSTS", 10)
    limiter = rate_limiter(clock, robots=True)
    limiter.pause(OTHER_HOST, 3600)
    for number in range(9):
        clock.go(1)
        limiter.try_acquire(f"h{number}.example:80")
        limiter.release(f"h{number}.example:80")
    for number in range(9, 30):
        limiter.pause(f"h{number}.example:80", 1)
        clock.go(200)
    assert OTHER_HOST not in limiter._hosts
    assert limiter.given_up(OTHER_HOST) == "host given up: it asks for a long pause"
    assert [limiter.try_acquire(OTHER_HOST) for _ in range(2)] == [0, 0]
    for number in range(20):
        limiter.pause(f"h{number}.example:80", 3600)
    assert len(limiter._given_up) == 10


def test_a_process_uses_its_share_of_the_limits_of_a_host(clock):
    limiter = RateLimiter(DownloadOptions(robots=False), clock=clock, share_of=lambda host: 1 / 4)
    assert limiter.try_acquire(OTHER_HOST) == 0
    assert limiter.try_acquire(OTHER_HOST) == math.inf
    limiter.release(OTHER_HOST)
    assert limiter.try_acquire(OTHER_HOST) == pytest.approx(4 / 10)


def test_acquire_ends_at_its_deadline(clock):
    limiter = rate_limiter(clock)
    limiter.pause(OTHER_HOST, 30)
    assert limiter.acquire(OTHER_HOST, lambda: False, clock() + 20) is False
    assert not limiter._hosts[OTHER_HOST].priority_waiting
