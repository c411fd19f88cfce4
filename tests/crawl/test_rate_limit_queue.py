"""In which order tasks are handed out, and when no more come."""

import threading
import time

import pytest

from pipeline.crawl.rate_limit import HostQueue, RateLimiter
from pipeline.crawl.request import Request, RequestPolicy
from pipeline.options import DownloadOptions

ASK = RequestPolicy(most=1)


@pytest.fixture
def waiting():
    hosts = RateLimiter(DownloadOptions(robots=False, host_connections=1, host_rate=1e6))
    return HostQueue(hosts)


def task(url):
    return {"file_url": url, "errand": Request(url, ASK)}


def urls(queue, count):
    return [queue.get()["file_url"] for _ in range(count)]


def test_a_busy_host_holds_up_no_other(waiting):
    for url in ("http://a.example/1", "http://a.example/2", "http://b.example/1"):
        waiting.put(task(url))
    assert urls(waiting, 2) == ["http://a.example/1", "http://b.example/1"]


def test_hosts_take_turns_and_each_keeps_its_order(waiting):
    for host in "aab":
        for number in range(2):
            waiting.put(task(f"file:{host}{number}"))  # on no host: nothing to wait for
    assert urls(waiting, 6) == ["file:a0", "file:a1", "file:a0", "file:a1", "file:b0", "file:b1"]


def test_a_task_that_goes_on_comes_before_the_others_of_its_host(waiting):
    first, second = task("http://a.example/1"), task("http://a.example/2")
    waiting.put(first)
    waiting.put(second)
    assert waiting.get() is first
    waiting._hosts.end("a.example:80")
    waiting.put_back(first)
    assert waiting.get() is first


def test_a_task_that_pauses_is_not_handed_out_before(waiting):
    paused = task("http://a.example/1")
    waiting.put(paused)
    assert waiting.get() is paused
    waiting._hosts.end("a.example:80")
    paused["errand"].retry(0.15)
    waiting.put_back(paused)
    began = time.monotonic()
    assert waiting.get() is paused
    assert time.monotonic() - began > 0.1


def test_a_free_host_wakes_who_waits_for_it(waiting):
    for number in range(2):
        waiting.put(task(f"http://a.example/{number}"))
    waiting.get()
    got = []
    thread = threading.Thread(target=lambda: got.append(waiting.get()["file_url"]))
    thread.start()
    time.sleep(0.05)
    assert got == []
    waiting._hosts.end("a.example:80")
    thread.join(5)
    assert got == ["http://a.example/1"]


def test_the_end_comes_only_when_every_task_is_settled(waiting):
    waiting.put(task("file:x"))
    handed_out = waiting.get()
    waiting.close()
    got = []
    thread = threading.Thread(target=lambda: got.append(waiting.get()))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()  # the task may yet come back
    waiting.put_back(handed_out)
    thread.join(5)
    assert got == [handed_out]
    waiting.done()
    assert waiting.get() is None


def test_a_stop_ends_all_waiting(waiting):
    threads = [threading.Thread(target=waiting.get) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.stop()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
