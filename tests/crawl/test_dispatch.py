"""Which entries a lane gets: fair between hosts, bounded in number, in order within a host."""

from collections import Counter
from contextlib import closing

import pytest

from pipeline.crawl.dispatch import SENT, Dispatcher, Lane
from pipeline.crawl.frontier import Frontier
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.url_archive import UrlArchive
from pipeline.options import DownloadOptions


class FakeLane(Lane):
    """A lane that keeps what it is asked for."""

    def __init__(self, index):
        super().__init__(index, connections=4)
        self.asked = []

    def put(self, entries):
        self.asked += [sent.entry.candidate.url for sent in entries]

    def finish(self, count=None):
        """Have an outcome of the first entries."""
        for number in list(self.sent)[:count]:
            self.take(number)


@pytest.fixture
def setup(tmp_path):
    """A dispatcher over some lanes, and a function that adds URLs."""
    frontiers = []
    with closing(UrlArchive(tmp_path / "archive.sqlite")) as archive:

        def make(lanes=0):
            frontier = Frontier(tmp_path / f"{len(frontiers)}.sqlite", 10**6, lanes)
            frontiers.append(frontier)
            source = UrlsSource(DownloadOptions())
            made = [FakeLane(index) for index in range(lanes + 1)]

            def add(*urls):
                for url in urls:
                    frontier.append(frontier.entry_for(Candidate(url=url, fetch_url=url), source))

            return Dispatcher(frontier, archive, made, set()), made, add

        yield make
    for frontier in frontiers:
        frontier.close()


def urls(host, count, first=0):
    return [f"http://{host}/{number}" for number in range(first, first + count)]


def test_every_entry_is_sent_once_and_in_order_within_its_host(setup):
    dispatcher, (lane,), add = setup()
    add(*urls("a.example", 500), *urls("b.example", 3))
    for _ in range(100):
        dispatcher.fill()
        lane.finish(10)
    assert sorted(lane.asked) == sorted([*urls("a.example", 500), *urls("b.example", 3)])
    assert [url for url in lane.asked if "a.example" in url] == urls("a.example", 500)


def test_a_host_that_does_not_answer_keeps_nobody_waiting(setup):
    dispatcher, (lane,), add = setup()
    add(*urls("slow.example", 5000), *urls("b.example", 300), *urls("c.example", 300))
    for _ in range(200):
        dispatcher.fill()
        for number, sent in list(lane.sent.items()):
            if "slow" not in sent.host.host.name:
                lane.take(number)
    assert set(urls("b.example", 300) + urls("c.example", 300)) < set(lane.asked)
    assert len([url for url in lane.asked if "slow" in url]) < 100


def test_a_lane_has_a_bounded_number_of_entries_however_many_hosts_there_are(setup):
    dispatcher, (lane,), add = setup()
    add(*(url for number in range(SENT + 500) for url in urls(f"h{number}.example", 1)))
    for _ in range(20):
        dispatcher.fill()
    assert len(lane.sent) == SENT
    lane.finish()
    for _ in range(20):
        dispatcher.fill()
    assert len(set(lane.asked)) == len(lane.asked) == SENT + 500


def test_entries_that_are_added_later_are_sent_too(setup):
    dispatcher, (lane,), add = setup()
    for first in range(0, 50, 10):
        add(*urls("a.example", 10, first))
        for _ in range(3):
            dispatcher.fill()
            lane.finish()
    assert lane.asked == urls("a.example", 50)


def test_a_host_belongs_to_one_lane_and_a_shared_one_to_all_but_this_process(setup):
    dispatcher, lanes, add = setup(lanes=2)
    add(*urls("a.example", 400), *(url for number in range(20) for url in urls(f"h{number}.example", 2)))
    for _ in range(5):
        dispatcher.fill()
        for lane in lanes:
            lane.finish(100)
    owners = {url.split("/")[2]: Counter() for lane in lanes for url in lane.asked}
    for lane in lanes:
        for url in lane.asked:
            owners[url.split("/")[2]][lane.index] += 1
    assert all(len(found) == 1 and 0 not in found for found in owners.values())
    (owner,) = owners["a.example"]
    other = lanes[3 - owner]
    dispatcher.shared.add("a.example:80")
    for _ in range(30):
        dispatcher.fill()
        for lane in lanes:
            lane.finish(100)
    assert any("a.example" in url for url in other.asked)
    assert lanes[0].asked == []
    asked = [url for lane in lanes for url in lane.asked if "a.example" in url]
    assert sorted(asked) == sorted(urls("a.example", 400))
