"""Worker processes as the crawler's process sees them: what they have, and when they are replaced."""

import queue
import time
from types import SimpleNamespace

import pytest

from pipeline.crawl import worker_lanes
from pipeline.crawl.dispatch import SENT, Event, OpenHost, Sent
from pipeline.crawl.frontier import Host, lane_of
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import Request, RequestPolicy
from pipeline.crawl.worker_lanes import FRUITLESS, WorkerLanes
from pipeline.crawl.worker_process import SILENCE, WorkerProcess
from pipeline.errors import UserError
from pipeline.options import DownloadOptions

POLICY = RequestPolicy(max_bytes=1)


class FakeWorker(WorkerProcess):
    """A worker process that only notes its orders."""

    def __init__(self, setup, events):
        self.orders, self.at_work, self.last_message = [], [], time.monotonic()
        self.process = SimpleNamespace(exitcode=-9)
        self.is_killed = False

    def order(self, kind, value=None):
        self.orders.append((kind, value))

    def kill(self):
        self.is_killed = True


@pytest.fixture
def workers(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_lanes, "WorkerProcess", FakeWorker)
    workers = WorkerLanes(2, HttpClient(DownloadOptions()), tmp_path, queue.SimpleQueue())
    workers.start()
    return workers


def sent(number, host, open_host):
    return Sent(SimpleNamespace(number=number), Request(f"http://{host}/{number}", POLICY), None, open_host)


def redirected(each, host):
    request = each.request
    request.redirect_to(f"http://{host}/")
    return each.entry.number, request


def test_entries_that_redirect_to_a_host_of_another_lane_count_for_their_first_lane(workers):
    names = [f"h{number}.example" for number in range(20)]
    slow = next(name for name in names if lane_of(f"{name}:80", 2) == 2)
    quick = next(name for name in names if lane_of(f"{name}:80", 2) == 1)
    first, second = workers.lanes
    open_host, number = OpenHost(Host(1, f"{quick}:80", 0), 0), 0
    for _ in range(10):
        batch = [sent(number + each, quick, open_host) for each in range(1, 1 + min(first.room, 500))]
        number += len(batch)
        first.give(batch)
        workers.handle(Event(1, "moved", [redirected(each, slow) for each in batch]))
    assert (number, first.room, len(second.sent)) == (SENT, 0, SENT)
    assert open_host.sent[1] == SENT

    back = second.sent[1]
    workers.handle(Event(2, "moved", [redirected(back, quick)]))
    assert list(first.sent) == [1]
    assert first.room == 0
    for each in range(1, SENT + 1):
        assert first.settle(each) or second.settle(each)
    assert (first.room, second.room, open_host.sent[1]) == (SENT, SENT, 0)


def test_a_new_worker_knows_of_pauses_before_it_gets_work(workers):
    lane = workers.lanes[lane_of("busy.example:80", 2) - 1]
    lane.give([sent(1, "busy.example", OpenHost(Host(1, "busy.example:80", 0), 0))])
    workers.handle(Event(lane.index, "pause", ("busy.example:80", 50.0)))
    workers.handle(Event(lane.index, "ended", lane.worker))
    (pause, (host, seconds)), (work, _) = lane.worker.orders
    assert (pause, host, work) == ("pause", "busy.example:80", "work")
    assert 40 < seconds <= 50


def test_a_worker_that_is_silent_is_killed_unless_this_process_was_stopped_too(workers, monkeypatch):
    silent, other = (lane.worker for lane in workers.lanes)
    now = time.monotonic()
    for passed in (SILENCE / 4, SILENCE / 2, 3 * SILENCE / 4, 0.9 * SILENCE, 1.1 * SILENCE):
        monkeypatch.setattr(time, "monotonic", lambda passed=passed: now + passed)
        other.last_message = time.monotonic()
        workers.check()
        assert silent.is_killed == (passed > SILENCE)
    assert not other.is_killed
    monkeypatch.setattr(time, "monotonic", lambda: now + 10 * SILENCE)
    for _ in range(2):
        workers.check()
    assert not other.is_killed


def test_workers_that_die_again_and_again_end_the_crawl_with_one_line(workers):
    lane = workers.lanes[0]
    lane.give([sent(1, "a.example", OpenHost(Host(1, "a.example:80", 0), 0))])
    for _ in range(FRUITLESS - 1):
        workers.handle(Event(1, "ended", lane.worker))
    with pytest.raises(UserError, match=r"signal 9, which most often means that memory ran out, again and again"):
        workers.handle(Event(1, "ended", lane.worker))
