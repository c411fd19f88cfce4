"""The pictures and links that are read from the pages of a web site."""

import time

import pytest

from pipeline.crawl import html
from pipeline.crawl.page import largest_in_srcset
from pipeline.crawl.request import Response
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions

PAGE_URL = "https://a.example/album/page.html"


def url_and_title(text):
    return [(found.url, found.title) for found in parse_page(text).candidates]


def parse_page(text, url=PAGE_URL):
    return SiteSource(DownloadOptions(), url).parse(Response(url=url, data=text.encode()), url)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('<img src="a.png">', "https://a.example/album/a.png"),
        ('<img src="/a.png#top">', "https://a.example/a.png"),
        ('<img src="//cdn.example/a">', "https://cdn.example/a"),
        ('<img src="ピカ 1.png">', "https://a.example/album/%E3%83%94%E3%82%AB%201.png"),
        ('<img src="dot.gif" data-src="late.jpg">', "https://a.example/album/late.jpg"),
        ('<img src="s.jpg" srcset="m.jpg 2x, l.jpg 3.5x">', "https://a.example/album/l.jpg"),
        ('<img srcset="l.jpg 1280w, s.jpg 320w">', "https://a.example/album/l.jpg"),
        ('<a href="full.JPG">see</a>', "https://a.example/album/full.JPG"),
        ('<a href="full.jpg"><img src="thumb.jpg"></a>', "https://a.example/album/full.jpg"),
        ('<a href="next.html"><img src="thumb.jpg"></a>', "https://a.example/album/thumb.jpg"),
    ],
)
def test_picture_url_is_absolute_and_the_largest(text, address):
    assert [found for found, _ in url_and_title(text)] == [address]


@pytest.mark.parametrize(
    "text",
    ['<img src="data:image/png;base64,AAAA">', '<img src="http://[bad/x.png">', "<img>", '<a href="x.pdf">x</a>'],
)
def test_items_without_a_web_picture_are_omitted(text):
    assert url_and_title(text) == []


def test_pictures_are_unique_and_in_document_order_with_titles():
    text = '<img src="b.png" alt="bee"><a href="a.jpg"><img src="t.jpg" alt="ant"></a><img src="b.png" alt="again">'
    assert url_and_title(text) == [("https://a.example/album/b.png", "bee"), ("https://a.example/album/a.jpg", "ant")]


def test_links_are_pages_of_the_same_host():
    page = parse_page(
        '<a href="2.html#x">2</a><a href="2.html">2</a><a href="https://b.example/">b</a><a href="p.png">p</a>'
        '<a href="mailto:me@a.example">me</a><a href="http://a.example:8080/">other port</a><a href="/">home</a>'
    )
    assert page.links == ["https://a.example/album/2.html", "https://a.example/"]


def test_candidate_has_page_title_creator_and_licence():
    page = parse_page(
        '<title>Gallery</title><meta name="author" content="Ann"><link rel="license" href="/cc0"><img src="a.png">'
    )
    (found,) = page.candidates
    assert (found.page, found.title, found.creator, found.license) == (
        PAGE_URL,
        "Gallery",
        "Ann",
        "https://a.example/cc0",
    )


def test_host_is_that_of_the_first_page_after_redirects():
    source = SiteSource(DownloadOptions(), "https://a.example/")
    first = source.parse(Response(url="https://www.a.example/", data=b'<a href="/2">2</a>'), "https://a.example/")
    elsewhere = source.parse(Response(url="https://login.example/", data=b'<img src="x.png"><a href="/3">3</a>'), "")
    assert first.links == ["https://www.a.example/2"]
    assert elsewhere.candidates == elsewhere.links == []


def test_base_element_is_used():
    page = parse_page('<base href="https://a.example/deep/"><img src="a.png"><a href="b.html">b</a>')
    assert page.candidates[0].url == "https://a.example/deep/a.png"
    assert page.links == ["https://a.example/deep/b.html"]


@pytest.mark.parametrize(
    "srcset", ["s.jpg 320w,l.jpg 1280w", "s.jpg 320w,\n  l.jpg 1280w", "l.jpg 2x, s.jpg", "s.jpg 1.2.3x, l.jpg 1280w"]
)
def test_largest_in_srcset_accepts_each_notation(srcset):
    assert largest_in_srcset(srcset) == "l.jpg"


@pytest.mark.parametrize(
    "href", ["http://[", "javascript:alert(1)", "data:,x", "", "http://a.example:99999999/", "http:///x"]
)
def test_base_that_is_no_web_url_is_ignored(href):
    page = parse_page(f'<base href="{href}"><base href="https://b.example/"><img src="a.png"><a href="b.html">b</a>')
    assert [found.url for found in page.candidates] == ["https://a.example/album/a.png"]
    assert page.links == ["https://a.example/album/b.html"]


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
def test_encoding_is_detected_from_mark_declaration_or_content(encoding, head):
    data = f'{head}<title>図鑑</title><img src="a.png" alt="ピカチュウ">'.encode(encoding)
    (found,) = SiteSource(DownloadOptions(), PAGE_URL).parse(Response(url=PAGE_URL, data=data), PAGE_URL).candidates
    assert found.title == "ピカチュウ"


def test_undecodable_bytes_lose_no_pictures():
    data = b'<meta charset="utf-8"><img src="a.png" alt="\xff\xfe"><img src="b.png">'
    page = SiteSource(DownloadOptions(), PAGE_URL).parse(Response(url=PAGE_URL, data=data), PAGE_URL)
    assert [found.url[-5:] for found in page.candidates] == ["a.png", "b.png"]


SIZE = 1_000_000
HOSTILE_PAGES = {
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


@pytest.mark.parametrize("trap", HOSTILE_PAGES)
def test_hostile_page_takes_bounded_time_and_keeps_earlier_pictures(trap, monkeypatch):
    monkeypatch.setattr(html, "MAX_SECONDS", 0.5)
    began = time.process_time()
    page = parse_page('<img src="first.png" alt="kept">' + HOSTILE_PAGES[trap])
    assert time.process_time() - began < 5
    assert page.candidates[0].title == "kept"
    assert len(page.candidates) <= 2 * DownloadOptions().limit


def test_truncated_page_has_a_reason():
    assert parse_page(HOSTILE_PAGES["elements within elements"]).cut_reason == "more than 5,000 nested elements"
    assert parse_page("<img src=a.png>").cut_reason == ""


def test_page_is_truncated_at_the_deadline(monkeypatch):
    monkeypatch.setattr(html, "MAX_SECONDS", 0.01)
    page = parse_page('<img src="first.png">' + "<p>text" * 200_000)
    assert page.cut_reason == "it took more than 0.01 s"
