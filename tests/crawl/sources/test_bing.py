"""Bing's results pages: small ones in the format of the service."""

import html
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.download import download
from pipeline.crawl.request import Response
from pipeline.crawl.sources import bing
from pipeline.crawl.sources.bing import BingSource
from pipeline.options import DownloadOptions
from pipeline.store import jsonl


def results_page(*results, broken=""):
    items = [
        f'<li><div class="iuscp"><div class="imgpt"><a class="iusc" m="{html.escape(json.dumps(result))}" href="#">'
        '<img src="https://th.example/thumb.jpg"></a><div class="img_info">300 x 300</div></div></div></li>'
        for result in results
    ]
    return f'<ul class="dgControl_list">{"".join(items)}{broken}</ul>'.encode()


def result(number, **changes):
    row = {
        "murl": f"https://pictures.example/{number}.webp?w=9&h=9",
        "purl": f"https://pages.example/{number}",
        "turl": "https://th.example/thumb.jpg",
        "t": f"The \ue000Pikachu\ue001 no. {number}",
    }
    return row | changes


def candidates(html):
    return BingSource(DownloadOptions(), "x").results(Response(url="", data=html))


def test_result_has_picture_page_and_title_not_thumbnail():
    (found,) = candidates(results_page(result(1)))
    assert found.url == found.fetch_url == "https://pictures.example/1.webp?w=9&h=9"
    assert (found.page, found.title) == ("https://pages.example/1", "The Pikachu no. 1")


def test_invalid_results_are_omitted():
    broken = '<div class="imgpt"><a m="{not json">x</a></div><div class="imgpt"><a m="[1]">x</a><a>y</a></div>'
    found = candidates(results_page(result(1), {"purl": "https://no.picture.example"}, result(2), broken=broken))
    assert [candidate.url[-14:] for candidate in found] == ["/1.webp?w=9&h=9"[-14:], "/2.webp?w=9&h=9"[-14:]]


def test_number_of_results_is_limited():
    source = BingSource(DownloadOptions(limit=3), "x")
    data = results_page(
        *(result(number) for number in range(50)), broken="<div class=imgpt><a m='" + "[" * 100_000 + "'>"
    )
    assert len(source.parse(Response(url="", data=data), "").candidates) == 6
    towers = ("<div class=imgpt><a m='" + "[" * 15_000 + "'></a></div>").encode()
    assert len(source.results(Response(url="", data=towers + results_page(result(1))))) == 1


@pytest.mark.parametrize("query", ["ピカチュウ", "black & white?", "a+b"])
def test_query_is_encoded_in_the_url(query):
    address = BingSource(DownloadOptions(), query).start()
    assert address.isascii()
    assert parse_qs(urlsplit(address).query)["q"] == [query]


def test_paging_stops_after_a_page_without_new_results():
    source = BingSource(DownloadOptions(), "x")
    first = source.parse(Response(url="", data=results_page(result(1), result(2))), "")
    second = source.parse(Response(url="", data=results_page(result(2), result(3))), "")
    third = source.parse(Response(url="", data=results_page(result(3))), "")
    follow = [parse_qs(urlsplit(link).query)["first"] for link in first.links + second.links]
    assert follow == [["3"], ["4"]]
    assert third.links == []


def test_several_queries_are_crawled_one_after_another(site, responders, options, tmp_path, monkeypatch):
    monkeypatch.setattr(bing, "SEARCH", site.url + "/images/async")
    paths = site.pictures(4)
    shown = [result(number, murl=site.url + path) for number, path in enumerate(paths)]
    nothing = responders.body(results_page(), "text/html")
    for query, results in (("%E3%83%94%E3%82%AB", shown[:2]), ("cat", shown[1:])):
        site.routes[f"/images/async?q={query}&first=1&count=35"] = responders.body(results_page(*results), "text/html")
        site.routes[f"/images/async?q={query}&first={len(results) + 1}&count=35"] = nothing
    wanted = options(sources=("bing",), query=("ピカ", "cat"))

    outcome = download(wanted, dataset=tmp_path / "dataset", folder=tmp_path / "folder")

    rows = list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl"))
    assert [(row["query"], row["rank"]) for row in rows] == [("ピカ", 1), ("ピカ", 2), ("cat", 1), ("cat", 2)]
    assert rows[0]["page"] == "https://pages.example/0"
    assert outcome.summary["sources"]["bing"]["pages"] == 4
    assert sum(site.hits[path] for path in paths) == 4
