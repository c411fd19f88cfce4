"""The rows of images.jsonl and their counts."""

import pytest

from pipeline.crawl.frontier import Frontier
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.rows import counts, reasons, rows_of
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions


def test_entry_without_outcome_raises_runtime_error():
    frontier, source = Frontier(10), SiteSource(DownloadOptions(), "http://a.example")
    entries = [frontier.add(Candidate(url=url, fetch_url=url), source) for url in "ab"]
    frontier.settle(entries[0], Outcome(outcome="failed", reason="HTTP 404"))
    with pytest.raises(RuntimeError, match=r"2 requested, 1 settled.*'b'"):
        rows_of(frontier)


def test_unknown_outcome_raises_runtime_error():
    with pytest.raises(RuntimeError, match="does not add up"):
        counts([{"outcome": "saved"}, {"outcome": "lost"}])


def test_reasons_are_ordered_by_frequency():
    rows = [{"reason": reason} for reason in ("", "timeout", "HTTP 404", "timeout", "robots.txt")]
    assert list(reasons(rows).items()) == [("timeout", 2), ("HTTP 404", 1), ("robots.txt", 1)]
