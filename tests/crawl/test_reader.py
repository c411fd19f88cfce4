"""Reading sources one after another or round-robin."""

from dataclasses import replace

import pytest

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.reader import Reader, one_after_another, round_robin
from pipeline.crawl.request import RequestFault
from pipeline.crawl.sources.base import Page, Source
from pipeline.errors import UserError
from pipeline.options import DownloadOptions


class FakeSource(Source):
    """A source with given pages, `{address: (pictures, links)}` or a fault."""

    engine = "fake"

    def __init__(self, name, pages):
        super().__init__(DownloadOptions())
        self.query, self.pages, self.requested = name, pages, []

    def start(self):
        return next(iter(self.pages))

    def read(self, address, http_client):
        self.requested.append(address)
        if isinstance(self.pages[address], RequestFault):
            return self.pages[address]
        pictures, links = self.pages[address]
        return Page(candidates=[Candidate(url=url, fetch_url=url) for url in pictures], links=list(links))


@pytest.fixture
def http_client():
    return HttpClient(DownloadOptions())


def readers(*sources, max_pages=100):
    return [Reader(source, max_pages=max_pages) for source in sources]


def urls_of(found):
    return "".join(candidate.url for _, candidate in found)


def test_one_after_another_reads_second_source_after_the_first_is_exhausted(http_client):
    first, second = FakeSource("1", {"p": ("abc", "q"), "q": ("d", "")}), FakeSource("2", {"p": ("xy", "")})
    found = one_after_another(readers(first, second), http_client)
    assert urls_of(next(found) for _ in range(4)) == "abcd"
    assert second.requested == []
    assert urls_of(found) == "xy"


def test_round_robin_takes_one_picture_of_each_source_in_turn(http_client):
    sources = (
        FakeSource("1", {"p": ("abc", "")}),
        FakeSource("2", {"p": ("x", "q"), "q": ("yzw", "")}),
        FakeSource("3", {"p": ("", "")}),
    )
    assert urls_of(round_robin(readers(*sources), http_client)) == "axbyczw"


def test_pages_are_read_breadth_first_once_and_lazily(http_client):
    source = FakeSource("1", {"p": ("a", "qr"), "q": ("b", "sp"), "r": ("c", "q"), "s": ("d", "")})
    (reader,) = readers(source)
    found = reader.candidates(http_client)
    assert next(found).url == "a"
    assert source.requested == ["p"]
    assert "".join(candidate.url for candidate in found) == "bcd"
    assert source.requested == ["p", "q", "r", "s"]


def test_notices_have_one_line_for_each_reason(http_client):
    lost = RequestFault(reason="HTTP 500")
    source = FakeSource("cat", {"p": ("a", "qrs"), "q": lost, "r": lost, "s": RequestFault(reason="timeout")})
    (reader,) = readers(source)
    list(reader.candidates(http_client))
    assert reader.notices() == [
        "fake 'cat': 2 pages not read: HTTP 500 (q)",
        "fake 'cat': 1 page not read: timeout (s)",
    ]


def test_notices_report_missing_pictures_and_the_page_limit(http_client):
    (empty,) = readers(FakeSource("cat", {"p": ("", "")}))
    (endless,) = readers(FakeSource("dog", {"p": ("a", "q"), "q": ("b", "r"), "r": ("c", "")}), max_pages=2)
    for reader in (empty, endless):
        list(reader.candidates(http_client))
    assert empty.notices() == ["fake 'cat': no pictures found"]
    assert endless.notices() == ["fake 'dog': stopped after 2 pages; set pages for more"]


def test_queue_holds_no_more_links_than_pages_may_be_read(http_client):
    pages = {"0": ("a", [str(number) for number in range(1, 100_000)])}
    pages |= {str(number): ("b", [f"{number}-{link}" for link in range(1000)]) for number in range(1, 5)}
    (reader,) = readers(FakeSource("cat", pages), max_pages=5)
    for _ in reader.candidates(http_client):
        assert len(reader._queue) <= 5
        assert len(reader._known) <= 6
    assert reader.source.requested == list("01234")
    assert reader.notices() == ["fake 'cat': stopped after 5 pages; set pages for more"]


def test_notices_report_truncated_pages_and_limit_the_reasons(http_client):
    pages = {"p": ("a", [str(number) for number in range(40)])}
    pages |= {str(number): RequestFault(reason=f"not a page: {number:02}") for number in range(40)}
    source = FakeSource("cat", pages)
    read = source.read
    source.read = lambda address, http_client: (
        replace(read(address, http_client), cut_reason="too much of it")
        if address == "p"
        else read(address, http_client)
    )
    (reader,) = readers(source)
    list(reader.candidates(http_client))
    lines = reader.notices()
    assert len(lines) == 12
    assert lines[0] == "fake 'cat': 1 page not read: not a page: 00 (0)"
    assert lines[10:] == [
        "fake 'cat': pages not read for 30 more reasons",
        "fake 'cat': 1 page read in part: too much of it (p)",
    ]


def test_an_unexpected_error_of_a_local_source_costs_its_page_or_the_rest_of_it(http_client):
    def candidates():
        yield Candidate(url="a", fetch_url="a")
        raise OverflowError

    class Broken(FakeSource):
        def read(self, address, http_client):
            if address == "q":
                raise OverflowError
            return Page(candidates=candidates() if address == "r" else [], links=["q", "r", "s"])

    (reader,) = readers(Broken("1", {"p": None}))
    assert urls_of(one_after_another([reader], http_client)) == "a"
    assert reader.notices() == [
        "fake '1': 1 page not read: page cannot be parsed: OverflowError (q)",
        "fake '1': 1 page read in part: the rest cannot be read: OverflowError (r)",
    ]


def test_an_error_for_the_user_ends_the_crawl(http_client):
    class Missing(FakeSource):
        def read(self, address, http_client):
            raise UserError("Parquet needs a package")

    with pytest.raises(UserError, match="needs a package"):
        list(one_after_another(readers(Missing("1", {"p": None})), http_client))
