"""The queue of tasks: their order, and when it ends."""

import threading
import time

import pytest

from pipeline.crawl.host_queue import HostQueue
from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import Request, RequestPolicy
from pipeline.options import DownloadOptions

POLICY = RequestPolicy(max_bytes=1)


@pytest.fixture
def queue():
    rate_limiter = RateLimiter(DownloadOptions(robots=False, host_connections=1, host_rate=1e6))
    return HostQueue(rate_limiter)


def task(url):
    return {"file_url": url, "request": Request(url, POLICY)}


def urls(queue, count):
    return [queue.get()["file_url"] for _ in range(count)]


def test_busy_host_does_not_delay_other_hosts(queue):
    for url in ("http://a.example/1", "http://a.example/2", "http://b.example/1"):
        queue.put(task(url))
    assert urls(queue, 2) == ["http://a.example/1", "http://b.example/1"]


def test_hosts_are_served_round_robin_in_order(queue):
    for host in "aab":
        for number in range(2):
            queue.put(task(f"file:{host}{number}"))  # no host, so no rate limit
    assert urls(queue, 6) == ["file:a0", "file:a1", "file:a0", "file:a1", "file:b0", "file:b1"]


def test_put_back_task_comes_before_other_tasks_of_its_host(queue):
    first, second = task("http://a.example/1"), task("http://a.example/2")
    queue.put(first)
    queue.put(second)
    assert queue.get() is first
    queue._rate_limiter.release("a.example:80")
    queue.put_back(first)
    assert queue.get() is first


def test_delayed_task_is_not_returned_early(queue):
    paused = task("http://a.example/1")
    queue.put(paused)
    assert queue.get() is paused
    queue._rate_limiter.release("a.example:80")
    paused["request"].retry(0.15)
    queue.put_back(paused)
    began = time.monotonic()
    assert queue.get() is paused
    assert time.monotonic() - began > 0.1


def test_new_task_with_a_delay_is_not_returned_early(queue):
    moved = task("http://a.example/1")  # from another process, after a redirect
    moved["request"].retry(0.15)
    queue.put(moved)
    began = time.monotonic()
    assert queue.get() is moved
    assert time.monotonic() - began > 0.1
    assert moved["request"].delay == 0


def test_released_host_wakes_a_waiting_get(queue):
    for number in range(2):
        queue.put(task(f"http://a.example/{number}"))
    queue.get()
    got = []
    thread = threading.Thread(target=lambda: got.append(queue.get()["file_url"]))
    thread.start()
    time.sleep(0.05)
    assert got == []
    queue._rate_limiter.release("a.example:80")
    thread.join(5)
    assert got == ["http://a.example/1"]


def test_get_returns_none_only_after_every_task_is_done(queue):
    queue.put(task("file:x"))
    handed_out = queue.get()
    queue.close()
    got = []
    thread = threading.Thread(target=lambda: got.append(queue.get()))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()  # the task may still be put back
    queue.put_back(handed_out)
    thread.join(5)
    assert got == [handed_out]
    queue.task_done()
    assert queue.get() is None


def test_stop_ends_every_waiting_get(queue):
    threads = [threading.Thread(target=queue.get) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.stop()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
