"""Whose turn it is at which host."""

import math
import threading
import time

import pytest

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import Fault, Response
from pipeline.options import DownloadOptions

FAR, NEAR = "a.example", "127.0.0.1:80"


@pytest.fixture
def clock():
    """A clock that goes when it is told to."""
    now = [1000.0]

    def tell():
        return now[0]

    tell.go = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return tell


def hosts(clock, **options):
    return RateLimiter(DownloadOptions(**{"robots": False, **options}), clock=clock)


def test_so_many_requests_at_once_and_no_more(clock):
    found = hosts(clock, host_connections=2, host_rate=1e6)
    for _ in range(2):
        assert found.begin(FAR) == 0
        clock.go(1)
    assert found.begin(FAR) == math.inf
    found.end(FAR)
    assert found.begin(FAR) == 0


def test_so_many_requests_a_second_and_no_more(clock):
    found = hosts(clock, host_rate=4)
    assert found.begin(FAR) == 0
    assert found.begin(FAR) == pytest.approx(0.25)
    clock.go(0.25)
    assert found.begin(FAR) == 0


def test_hosts_of_others_are_asked_gently_unless_told_and_ones_own_are_not(clock):
    found = hosts(clock, connections=50)
    begun = dict.fromkeys((FAR, NEAR), 0)
    for _ in range(1000):
        for host in begun:
            begun[host] += found.begin(host) == 0
        clock.go(0.01)
    assert begun == {FAR: 6, NEAR: 50}


def test_each_host_has_turns_of_its_own(clock):
    found = hosts(clock, host_connections=1)
    assert [found.begin(host) for host in (FAR, "b.example")] == [0, 0]


def test_a_host_is_asked_one_at_a_time_until_its_rules_are_known(clock):
    found = hosts(clock, robots=True, host_rate=1e6)
    assert found.begin(FAR) == 0
    clock.go(1)
    assert found.begin(FAR) == math.inf
    found.learn(FAR, 0)
    assert found.begin(FAR) == 0


def test_a_host_that_wants_time_between_requests_gets_it_and_one_at_a_time(clock):
    found = hosts(clock, host_connections=4)
    found.learn(FAR, 7)
    clock.go(7)
    assert found.begin(FAR) == 0
    clock.go(8)
    assert found.begin(FAR) == math.inf
    found.end(FAR)
    assert found.begin(FAR) == 0


def test_a_host_that_wants_rest_gets_it(clock):
    found = hosts(clock)
    found.rest(FAR, 30)
    assert found.begin(FAR) == 30
    clock.go(30)
    assert found.begin(FAR) == 0


def test_pages_go_before_pictures(clock):
    found = hosts(time.monotonic, host_connections=1, host_rate=1e6)
    assert found.begin(FAR) == 0
    got = []
    waiting = threading.Thread(target=lambda: got.append(found.wait(FAR, lambda: False)))
    waiting.start()
    while not found._hosts[FAR].first:
        time.sleep(0.001)
    with found.changed:
        found._hosts[FAR].active -= 1  # as `end` does, before the page has had time to wake
        assert found.begin(FAR) == math.inf
        found.changed.notify_all()
    waiting.join(5)
    assert got == [True]


def test_who_waits_is_let_go_when_the_crawl_stops(clock):
    found = hosts(clock, host_connections=1)
    found.begin(FAR)
    assert found.wait(FAR, lambda: True) is False


SILENT = Fault(reason="timeout", passing=True, answered=False)


@pytest.mark.parametrize("fault", [SILENT, Fault(reason="HTTP 429", status=429, passing=True)])
def test_a_host_that_gives_nothing_for_long_is_given_up(clock, fault):
    found = hosts(clock)
    for _ in range(20):
        found.begin(FAR)
        found.note(FAR, fault)
        found.end(FAR)
        assert found.given_up(FAR) == ""
        clock.go(6)
    clock.go(1)
    assert found.given_up(FAR) == f"host given up: {fault.reason}"


@pytest.mark.parametrize("good", [Response(url="", data=b""), Fault(reason="HTTP 404", status=404), "http://elsewhere"])
def test_a_host_that_answers_now_and_then_is_not_given_up(clock, good):
    found = hosts(clock)
    for number in range(100):
        found.begin(FAR)
        found.note(FAR, good if number % 10 == 0 else SILENT)
        found.end(FAR)
        clock.go(6)
        assert found.given_up(FAR) == ""


def test_what_is_on_no_host_needs_no_turn(clock):
    found = hosts(clock, host_connections=1)
    assert [found.begin("") for _ in range(3)] == [0, 0, 0]
    found.end("")


def test_a_host_that_was_asked_too_much_is_asked_more_slowly_and_quickened_by_good_answers(clock):
    found = hosts(clock)
    for _ in range(3):  # three of one burst are one word
        found.rest(NEAR, 1)
    clock.go(1)
    assert found.begin(NEAR) == 0
    assert found.begin(NEAR) == pytest.approx(0.1)
    for _ in range(60):
        found.note(NEAR, "http://elsewhere")
    clock.go(0.1)
    assert found.begin(NEAR) == 0
    assert found.begin(NEAR) < 0.01
