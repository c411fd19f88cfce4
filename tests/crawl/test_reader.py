"""Sources read one after the other, or by turns."""

from dataclasses import replace

import pytest

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.reader import Reader, one_after_another, round_robin
from pipeline.crawl.request import Fault
from pipeline.crawl.sources.base import Page, Source
from pipeline.options import DownloadOptions


class Shelf(Source):
    """A source whose pages are told beforehand: `{address: (pictures, links)}`, or a fault."""

    engine = "shelf"

    def __init__(self, name, pages):
        super().__init__(DownloadOptions())
        self.query, self.pages, self.asked = name, pages, []

    def start(self):
        return next(iter(self.pages))

    def read(self, address, fetcher):
        self.asked.append(address)
        if isinstance(self.pages[address], Fault):
            return self.pages[address]
        pictures, links = self.pages[address]
        return Page(candidates=[Candidate(url=url, address=url) for url in pictures], links=list(links))


@pytest.fixture
def fetcher():
    return HttpClient(DownloadOptions())


def readings(*shelves, most=100):
    return [Reader(shelf, most=most) for shelf in shelves]


def urls(found):
    return "".join(candidate.url for _, candidate in found)


def test_in_turn_the_second_source_is_not_asked_before_the_first_is_used_up(fetcher):
    first, second = Shelf("1", {"p": ("abc", "q"), "q": ("d", "")}), Shelf("2", {"p": ("xy", "")})
    found = one_after_another(readings(first, second), fetcher)
    assert urls(next(found) for _ in range(4)) == "abcd"
    assert second.asked == []
    assert urls(found) == "xy"


def test_mixed_each_source_gives_one_picture_a_round_until_it_has_no_more(fetcher):
    shelves = (
        Shelf("1", {"p": ("abc", "")}),
        Shelf("2", {"p": ("x", "q"), "q": ("yzw", "")}),
        Shelf("3", {"p": ("", "")}),
    )
    assert urls(round_robin(readings(*shelves), fetcher)) == "axbyczw"


def test_pages_are_read_breadth_first_once_each_and_only_as_they_are_needed(fetcher):
    shelf = Shelf("1", {"p": ("a", "qr"), "q": ("b", "sp"), "r": ("c", "q"), "s": ("d", "")})
    (reading,) = readings(shelf)
    found = reading.candidates(fetcher)
    assert next(found).url == "a"
    assert shelf.asked == ["p"]
    assert "".join(candidate.url for candidate in found) == "bcd"
    assert shelf.asked == ["p", "q", "r", "s"]


def test_what_went_wrong_is_told_a_line_for_each_kind(fetcher):
    lost = Fault(reason="HTTP 500")
    shelf = Shelf("cat", {"p": ("a", "qrs"), "q": lost, "r": lost, "s": Fault(reason="timeout")})
    (reading,) = readings(shelf)
    list(reading.candidates(fetcher))
    assert reading.notices() == [
        "shelf 'cat': 2 pages not read: HTTP 500 (q)",
        "shelf 'cat': 1 page not read: timeout (s)",
    ]


def test_a_source_without_pictures_and_one_without_end_are_told_of(fetcher):
    (empty,) = readings(Shelf("cat", {"p": ("", "")}))
    (endless,) = readings(Shelf("dog", {"p": ("a", "q"), "q": ("b", "r"), "r": ("c", "")}), most=2)
    for reading in (empty, endless):
        list(reading.candidates(fetcher))
    assert empty.notices() == ["shelf 'cat': no pictures there"]
    assert endless.notices() == ["shelf 'dog': left off after 2 pages; set pages for more"]


def test_no_more_links_are_kept_than_pages_can_be_read(fetcher):
    pages = {"0": ("a", [str(number) for number in range(1, 100_000)])}
    pages |= {str(number): ("b", [f"{number}-{link}" for link in range(1000)]) for number in range(1, 5)}
    (reading,) = readings(Shelf("cat", pages), most=5)
    for _ in reading.candidates(fetcher):
        assert len(reading._waiting) <= 5
        assert len(reading._known) <= 6
    assert reading.source.asked == list("01234")
    assert reading.notices() == ["shelf 'cat': left off after 5 pages; set pages for more"]


def test_a_page_that_was_cut_is_told_of_and_reasons_without_number_are_counted(fetcher):
    pages = {"p": ("a", [str(number) for number in range(40)])}
    pages |= {str(number): Fault(reason=f"not a page: {number:02}") for number in range(40)}
    shelf = Shelf("cat", pages)
    whole = shelf.read
    shelf.read = lambda address, fetcher: (
        replace(whole(address, fetcher), cut="too much of it") if address == "p" else whole(address, fetcher)
    )
    (reading,) = readings(shelf)
    list(reading.candidates(fetcher))
    lines = reading.notices()
    assert len(lines) == 12
    assert lines[0] == "shelf 'cat': 1 page not read: not a page: 00 (0)"
    assert lines[10:] == [
        "shelf 'cat': pages not read for 30 more reasons",
        "shelf 'cat': 1 page read in part: too much of it (p)",
    ]
