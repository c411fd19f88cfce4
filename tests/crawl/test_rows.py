"""The rows of images.jsonl and their counts."""

from contextlib import closing

import pytest

from pipeline.crawl import rows
from pipeline.crawl.frontier import Frontier
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.rows import Tally, rows_of
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions

SAVED = Outcome(outcome="saved", type="png", id="a" * 64)


@pytest.fixture
def frontier(tmp_path):
    with closing(Frontier(tmp_path / "frontier.sqlite", limit=10)) as frontier:
        yield frontier


def append(frontier, urls):
    source = SiteSource(DownloadOptions(), "http://a.example")
    for url in urls:
        frontier.append(frontier.entry_for(Candidate(url=url, fetch_url=url), source))


def row(**changes):
    return {"engine": "site", "outcome": "failed", "reason": "", **changes}


def test_entry_without_outcome_raises_runtime_error(frontier):
    append(frontier, "ab")
    frontier.settle(1, Outcome(outcome="failed", reason="HTTP 404"))
    with pytest.raises(RuntimeError, match=r"2 requested, 1 settled.*'b'"):
        list(rows_of(frontier))


def test_rows_are_in_the_order_of_entries_and_the_first_of_equal_bytes_is_saved(frontier):
    append(frontier, "abcd")
    for number, outcome in ((3, SAVED), (4, Outcome(outcome="rejected", reason="too large")), (1, SAVED), (2, SAVED)):
        frontier.settle(number, outcome)
    found = [(row["url"], row["rank"], row["outcome"], row["reason"]) for row in rows_of(frontier)]
    assert found == [
        ("a", 1, "saved", ""),
        ("b", 2, "duplicate", "same bytes"),
        ("c", 3, "duplicate", "same bytes"),
        ("d", 4, "rejected", "too large"),
    ]


def test_unknown_outcome_raises_runtime_error():
    tally = Tally()
    for outcome in ("saved", "lost"):
        tally.add(row(outcome=outcome))
    with pytest.raises(RuntimeError, match="does not add up"):
        tally.counts()


def test_reasons_are_ordered_by_frequency_and_counted_for_all_sources():
    tally = Tally()
    for engine, reason in (("site", ""), ("site", "timeout"), ("urls", "HTTP 404"), ("urls", "timeout")):
        tally.add(row(engine=engine, reason=reason))
    assert list(tally.reasons().items()) == [("timeout", 2), ("HTTP 404", 1)]
    assert (tally.counts()["failed"], tally.counts("urls")["failed"], tally.counts("bing")["requested"]) == (4, 2, 0)
    assert tally.has_reason("urls", "HTTP 404")
    assert not tally.has_reason("site", "HTTP 404")


def test_reasons_that_differ_in_every_row_are_counted_together(monkeypatch):
    monkeypatch.setattr(rows, "MAX_COUNTED", 40)
    tally = Tally()
    for number in range(100):
        tally.add(row(reason="timeout"))
        tally.add(row(reason=f"no certificate for {number}"))
    assert len(tally.reasons()) == rows.MAX_SHOWN + 1
    assert tally.reasons(2) == {"timeout": 100, "no certificate for 0": 1, "other reasons": 99}
