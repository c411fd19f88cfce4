"""What is taken from the pages of a web site."""

import time

import pytest

from pipeline.crawl import html
from pipeline.crawl.page import largest
from pipeline.crawl.request import Response
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions

HERE = "https://a.example/shelf/page.html"


def shown(text):
    return [(found.url, found.title) for found in read(text).candidates]


def read(text, url=HERE):
    return SiteSource(DownloadOptions(), url).parse(Response(url=url, data=text.encode()), url)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('<img src="a.png">', "https://a.example/shelf/a.png"),
        ('<img src="/a.png#top">', "https://a.example/a.png"),
        ('<img src="//cdn.example/a">', "https://cdn.example/a"),
        ('<img src="ピカ 1.png">', "https://a.example/shelf/%E3%83%94%E3%82%AB%201.png"),
        ('<img src="dot.gif" data-src="late.jpg">', "https://a.example/shelf/late.jpg"),
        ('<img src="s.jpg" srcset="m.jpg 2x, l.jpg 3.5x">', "https://a.example/shelf/l.jpg"),
        ('<img srcset="l.jpg 1280w, s.jpg 320w">', "https://a.example/shelf/l.jpg"),
        ('<a href="full.JPG">see</a>', "https://a.example/shelf/full.JPG"),
        ('<a href="full.jpg"><img src="thumb.jpg"></a>', "https://a.example/shelf/full.jpg"),
        ('<a href="next.html"><img src="thumb.jpg"></a>', "https://a.example/shelf/thumb.jpg"),
    ],
)
def test_the_address_of_a_picture(text, address):
    assert [found for found, _ in shown(text)] == [address]


@pytest.mark.parametrize(
    "text",
    ['<img src="data:image/png;base64,AAAA">', '<img src="http://[bad/x.png">', "<img>", '<a href="x.pdf">x</a>'],
)
def test_what_is_no_picture_on_the_web_is_left_out(text):
    assert shown(text) == []


def test_pictures_come_once_each_in_the_order_of_the_text_with_their_titles():
    text = '<img src="b.png" alt="bee"><a href="a.jpg"><img src="t.jpg" alt="ant"></a><img src="b.png" alt="again">'
    assert shown(text) == [("https://a.example/shelf/b.png", "bee"), ("https://a.example/shelf/a.jpg", "ant")]


def test_links_stay_within_the_host_and_lead_to_no_picture():
    page = read(
        '<a href="2.html#x">2</a><a href="2.html">2</a><a href="https://b.example/">b</a><a href="p.png">p</a>'
        '<a href="mailto:me@a.example">me</a><a href="http://a.example:8080/">other port</a><a href="/">home</a>'
    )
    assert page.links == ["https://a.example/shelf/2.html", "https://a.example/"]


def test_a_page_says_where_whose_and_under_which_licence_its_pictures_are():
    page = read(
        '<title>Shelf</title><meta name="author" content="Ann"><link rel="license" href="/cc0"><img src="a.png">'
    )
    (found,) = page.candidates
    assert (found.page, found.title, found.creator, found.license) == (HERE, "Shelf", "Ann", "https://a.example/cc0")


def test_the_host_is_that_of_the_first_page_after_redirects():
    source = SiteSource(DownloadOptions(), "https://a.example/")
    first = source.parse(Response(url="https://www.a.example/", data=b'<a href="/2">2</a>'), "https://a.example/")
    elsewhere = source.parse(Response(url="https://login.example/", data=b'<img src="x.png"><a href="/3">3</a>'), "")
    assert first.links == ["https://www.a.example/2"]
    assert elsewhere.candidates == elsewhere.links == []


def test_a_base_element_counts():
    page = read('<base href="https://a.example/deep/"><img src="a.png"><a href="b.html">b</a>')
    assert page.candidates[0].url == "https://a.example/deep/a.png"
    assert page.links == ["https://a.example/deep/b.html"]


@pytest.mark.parametrize(
    "srcset", ["s.jpg 320w,l.jpg 1280w", "s.jpg 320w,\n  l.jpg 1280w", "l.jpg 2x, s.jpg", "s.jpg 1.2.3x, l.jpg 1280w"]
)
def test_the_largest_of_a_set_is_taken_however_it_is_written(srcset):
    assert largest(srcset) == "l.jpg"


@pytest.mark.parametrize(
    "href", ["http://[", "javascript:alert(1)", "data:,x", "", "http://a.example:99999999/", "http:///x"]
)
def test_a_base_that_is_no_web_address_does_not_count(href):
    page = read(f'<base href="{href}"><base href="https://b.example/"><img src="a.png"><a href="b.html">b</a>')
    assert [found.url for found in page.candidates] == ["https://a.example/shelf/a.png"]
    assert page.links == ["https://a.example/shelf/b.html"]


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("shift_jis", '<meta charset="Shift_JIS">'),
        ("euc-jp", '<meta http-equiv="Content-Type" content="text/html; charset=euc-jp">'),
        ("utf-8", "<?xml version='1.0' encoding='utf-8'?>"),
        ("utf-8", '<meta charset="utf-16">'),
        ("utf-8", '<meta charset="punycode">'),
        ("utf-8", '<meta charset="no such">'),
    ],
)
def test_the_encoding_is_that_of_the_mark_or_the_declaration_or_what_fits(encoding, head):
    data = f'{head}<title>図鑑</title><img src="a.png" alt="ピカチュウ">'.encode(encoding)
    (found,) = SiteSource(DownloadOptions(), HERE).parse(Response(url=HERE, data=data), HERE).candidates
    assert found.title == "ピカチュウ"


def test_bytes_that_are_of_no_encoding_lose_no_pictures():
    data = b'<meta charset="utf-8"><img src="a.png" alt="\xff\xfe"><img src="b.png">'
    page = SiteSource(DownloadOptions(), HERE).parse(Response(url=HERE, data=data), HERE)
    assert [found.url[-5:] for found in page.candidates] == ["a.png", "b.png"]


SIZE = 1_000_000
HOSTILE = {
    "links within links": "<a href=x.jpg><b>" * (SIZE // 17),
    "elements within elements": "<b>" * (SIZE // 3),
    "ends of nothing": "<b>" * 4000 + "</x>" * (SIZE // 4),
    "links": "".join(f"<a href={number}>" for number in range(SIZE // 14)),
    "pictures": "".join(f"<img src={number}>" for number in range(SIZE // 16)),
    "an attribute": f"<img src='{'a' * SIZE}'>",
    "attributes": "<img " + " ".join(f"a{number}" for number in range(SIZE // 8)) + ">",
    "sets": ("<img srcset='" + "a (" * 5000 + "'>") * (SIZE // 15_000),
    "a long base": f"<base href='/{'d/' * 1990}'>" + "".join(f"<img src={number}>" for number in range(SIZE // 16)),
    "metas": "<meta charset=" * (SIZE // 14),
}


@pytest.mark.parametrize("trap", HOSTILE)
def test_a_hostile_page_takes_a_bounded_time_and_keeps_what_came_before(trap, monkeypatch):
    monkeypatch.setattr(html, "SECONDS", 0.5)
    began = time.process_time()
    page = read('<img src="first.png" alt="kept">' + HOSTILE[trap])
    assert time.process_time() - began < 5
    assert page.candidates[0].title == "kept"
    assert len(page.candidates) <= 2 * DownloadOptions().limit


def test_a_page_that_is_cut_says_why():
    assert read(HOSTILE["elements within elements"]).cut == "more than 5,000 elements within each other"
    assert read("<img src=a.png>").cut == ""


def test_a_page_has_a_deadline(monkeypatch):
    monkeypatch.setattr(html, "SECONDS", 0.01)
    page = read('<img src="first.png">' + "<p>text" * 200_000)
    assert page.cut == "it took more than 0.01 s"
