"""Google's pages: small ones in the formats of the service, also the one with scripts only."""

from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.download import download
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources import google
from pipeline.crawl.sources.google import GoogleSource
from pipeline.options import DownloadOptions

SCRIPTS = (
    "<!doctype html><html><head><title>Google Search</title></head><body><noscript>"
    '<meta content="0;url=/httpservice/retry/enablejs?sei=x" http-equiv="refresh"></noscript>'
    "<script>(function(){var a=[1,2];})();</script></body></html>"
)
PLAIN = (
    '<html><body><a href="/imgres?imgurl=https://pic.example/1.jpg%3Fw%3D9&amp;imgrefurl=https://page.example/1&amp;h=9">'
    '<img alt="Pikachu" src="https://encrypted-tbn0.gstatic.com/images?q=x"></a>'
    '<a href="/search?q=more">more</a></body></html>'
)
DATA = (
    '<html><body><script>var m={\'a\':[1,[0,"id",["https://encrypted-tbn0.gstatic.com/images?q\\u003dtbn",225,225],'
    '["https://pic.example/2.png?a\\u003d1",1200,900],null]]};</script></body></html>'
)


@pytest.fixture
def source():
    return GoogleSource(DownloadOptions(), "ピカチュウ")


def body(text):
    return Response(url="", data=text.encode(), status=200)


def test_page_without_scripts_gives_picture_page_and_title(source):
    (found,) = source.results(body(PLAIN))
    assert (found.url, found.page) == ("https://pic.example/1.jpg?w=9", "https://page.example/1")
    assert found.title == "Pikachu"


def test_script_data_gives_pictures_not_thumbnails(source):
    assert [found.url for found in source.results(body(DATA))] == ["https://pic.example/2.png?a=1"]


def test_page_with_scripts_only_is_a_fault_with_advice(source):
    got = source.parse(body(SCRIPTS), "")
    assert isinstance(got, RequestFault)
    assert got.reason == "Google answers automated clients with scripts only; use bing, openverse or baidu"


def test_no_results_after_the_first_page_end_the_search(source):
    first = source.parse(body(PLAIN), "")
    assert parse_qs(urlsplit(first.links[0]).query)["start"] == ["1"]
    assert source.parse(body(SCRIPTS), "").links == []


def test_fault_is_in_the_notices_and_next_source_is_crawled(site, responders, options, tmp_path, monkeypatch):
    monkeypatch.setattr(google, "SEARCH", site.url + "/search")
    site.routes["/search?q=cat&tbm=isch&start=0"] = responders.body(SCRIPTS, "text/html")
    site.page("/", *site.pictures(2))
    wanted = options(sources=("google", "site"), query=("cat",))

    result = download(wanted, dataset=tmp_path / "dataset", folder=tmp_path / "folder")

    assert result.summary["saved"] == 2
    assert any("google 'cat': 1 page not read: Google answers" in notice for notice in result.summary["notices"])
