"""The frontier on the disk: which entries it takes, which wait, and what they were."""

import tracemalloc
from contextlib import closing

import pytest

from pipeline.crawl.frontier import LOCAL, Frontier, lane_of
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.rows import rows_of
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.sources.local import FolderSource
from pipeline.options import DownloadOptions

OPTIONS = DownloadOptions()


@pytest.fixture
def make(tmp_path):
    """Make frontiers, which are closed at the end."""
    made = []

    def frontier(limit=100, lanes=0):
        made.append(Frontier(tmp_path / f"{len(made)}.sqlite", limit, lanes))
        return made[-1]

    yield frontier
    for each in made:
        each.close()


def add(frontier, url, source=None, **changes):
    candidate = Candidate(**({"url": url, "fetch_url": url} | changes))
    entry = frontier.entry_for(candidate, source or frontier.sources[0])
    if entry is not None:
        frontier.append(entry)
    return entry


def test_each_url_is_taken_once_up_to_the_limit(make):
    frontier, source = make(limit=3), UrlsSource(OPTIONS)
    taken = [add(frontier, url, source) for url in "aabbcd"]
    assert [entry and (entry.number, entry.rank, entry.candidate.url) for entry in taken] == [
        (1, 1, "a"),
        None,
        (2, 2, "b"),
        None,
        (3, 3, "c"),
        None,
    ]
    assert frontier.full


def test_entries_of_a_host_wait_in_order_until_all_were_asked_for(make):
    frontier, source = make(), UrlsSource(OPTIONS)
    for number in range(4):
        add(frontier, f"http://a.example/{number}", source)
        add(frontier, f"http://b.example/{number}", source)
    first, second = frontier.waiting_hosts(LOCAL, 0, 10)
    assert (first.name, second.name) == ("a.example:80", "b.example:80")
    assert frontier.waiting_hosts(LOCAL, first.number, 10) == [second]
    entries = frontier.waiting_entries(first.number, 0, 3)
    assert [entry.candidate.url[-1] for entry in entries] == ["0", "1", "2"]
    assert [entry.number for entry in frontier.waiting_entries(first.number, entries[-1].number, 3)] == [7]
    assert frontier.waiting_hosts(LOCAL, 0, 10) == [second]
    add(frontier, "http://a.example/late", source)
    (again, _) = frontier.waiting_hosts(LOCAL, 0, 10)
    assert [entry.candidate.url for entry in frontier.waiting_entries(again.number, again.sent, 3)] == [
        "http://a.example/late"
    ]


def test_an_entry_that_waited_on_the_disk_is_what_was_added(make):
    frontier, source = make(), FolderSource(OPTIONS)
    said = {"page": "file:///x", "title": "ピカ", "license": "by", "creator": "A", "category": "7"}
    entry = add(frontier, "file:///x/%FF.png", source, fetch_url="/x/\udcff.png", **said)
    (host,) = frontier.waiting_hosts(LOCAL, 0, 1)
    assert frontier.waiting_entries(host.number, 0, 1) == [entry]


def test_a_host_with_letters_that_cannot_be_encoded_is_a_host_too(make):
    frontier = make(lanes=2)
    add(frontier, "http://%ED%B3%BF/x", UrlsSource(OPTIONS), fetch_url="http://\udcff/x")
    (host,) = frontier.waiting_hosts(1, 0, 1) + frontier.waiting_hosts(2, 0, 1)
    assert host.name == "\udcff:80"


def test_lanes_share_hosts_and_all_ports_of_one_host_have_one_lane(make):
    frontier, source = make(lanes=3), UrlsSource(OPTIONS)
    for number in range(60):
        add(frontier, f"http://h{number}.example:{8000 + number}/x", source)
    names = {lane: {host.name for host in frontier.waiting_hosts(lane, 0, 100)} for lane in range(4)}
    assert names[LOCAL] == set()
    assert all(len(names[lane]) > 10 for lane in (1, 2, 3))
    assert all(lane_of(name, 3) == lane for lane, found in names.items() for name in found)
    assert lane_of("a.example:80", 3) == lane_of("a.example:443", 3)


def test_files_are_read_in_the_process_of_the_crawler(make):
    frontier = make(lanes=3)
    add(frontier, "file:///x", FolderSource(OPTIONS), fetch_url="/x")
    assert [host.name for host in frontier.waiting_hosts(LOCAL, 0, 9)] == [""]


def test_only_the_first_outcome_of_an_entry_counts(make):
    frontier = make()
    add(frontier, "a", UrlsSource(OPTIONS))
    frontier.settle(1, Outcome(outcome="failed", reason="timeout"))
    frontier.settle(1, Outcome(outcome="saved", id="0" * 64, type="png"))
    assert (frontier.settled, frontier.saved) == (1, 0)
    assert [row["reason"] for row in rows_of(frontier)] == ["timeout"]


def test_what_is_left_out_is_counted_once_and_not_if_it_is_an_entry(make):
    frontier, source = make(limit=1), UrlsSource(OPTIONS)
    add(frontier, "a", source)
    frontier.leave_out((Candidate(url=url, fetch_url=url) for url in "abbc"), source)
    assert frontier.left_out(source) == 2
    assert frontier.left_out(UrlsSource(OPTIONS)) == 0


def test_rows_are_made_one_by_one(make):
    frontier, source = make(limit=10_000), UrlsSource(OPTIONS)
    for number in range(3000):
        add(frontier, f"http://a.example/{number}", source)
        frontier.settle(number + 1, Outcome(outcome="saved", id=f"{number:064x}", type="png"))
    tracemalloc.start()
    count = sum(1 for _ in rows_of(frontier)) + sum(1 for _ in frontier.saved_ids())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 6000
    assert peak < 200_000, "bytes: the rows alone would be two million"


def test_database_is_deleted_with_the_frontier(tmp_path):
    path = tmp_path / "frontier.sqlite"
    path.write_bytes(b"left by a killed crawl")
    with closing(Frontier(path, 10)) as frontier:
        add(frontier, "a", UrlsSource(OPTIONS))
        assert path.is_file()
    assert not path.exists()
