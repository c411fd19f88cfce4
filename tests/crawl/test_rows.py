"""The sum that must come out."""

import pytest

from pipeline.crawl.frontier import Frontier
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.rows import counts, reasons, rows_of
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions


def test_a_picture_lost_on_the_way_is_an_error_and_never_passes_unseen():
    ledger, source = Frontier(10), SiteSource(DownloadOptions(), "http://a.example")
    entries = [ledger.take(Candidate(url=url, address=url), source) for url in "ab"]
    ledger.settle(entries[0], Outcome(outcome="failed", reason="HTTP 404"))
    with pytest.raises(RuntimeError, match=r"2 requested, 1 settled.*'b'"):
        rows_of(ledger)


def test_an_outcome_that_is_none_of_the_four_is_an_error():
    with pytest.raises(RuntimeError, match="does not add up"):
        counts([{"outcome": "saved"}, {"outcome": "lost"}])


def test_reasons_come_with_the_most_frequent_first():
    rows = [{"reason": reason} for reason in ("", "timeout", "HTTP 404", "timeout", "robots.txt")]
    assert list(reasons(rows).items()) == [("timeout", 2), ("HTTP 404", 1), ("robots.txt", 1)]
