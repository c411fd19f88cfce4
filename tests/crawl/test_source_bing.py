"""Bing's results pages: small ones of the shape that it gives."""

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


def page(*results, broken=""):
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


def test_a_result_gives_picture_page_and_title_and_never_the_thumbnail():
    (found,) = candidates(page(result(1)))
    assert found.url == found.address == "https://pictures.example/1.webp?w=9&h=9"
    assert (found.page, found.title) == ("https://pages.example/1", "The Pikachu no. 1")


def test_what_is_not_understood_is_left_out_and_the_rest_is_kept():
    broken = '<div class="imgpt"><a m="{not json">x</a></div><div class="imgpt"><a m="[1]">x</a><a>y</a></div>'
    found = candidates(page(result(1), {"purl": "https://no.picture.example"}, result(2), broken=broken))
    assert [candidate.url[-14:] for candidate in found] == ["/1.webp?w=9&h=9"[-14:], "/2.webp?w=9&h=9"[-14:]]


def test_results_without_end_are_taken_as_far_as_they_can_be_of_use():
    source = BingSource(DownloadOptions(limit=3), "x")
    data = page(*(result(number) for number in range(50)), broken="<div class=imgpt><a m='" + "[" * 100_000 + "'>")
    assert len(source.parse(Response(url="", data=data), "").candidates) == 6
    towers = ("<div class=imgpt><a m='" + "[" * 15_000 + "'></a></div>").encode()
    assert len(source.results(Response(url="", data=towers + page(result(1))))) == 1


@pytest.mark.parametrize("query", ["ピカチュウ", "black & white?", "a+b"])
def test_any_query_reaches_bing_as_it_was_typed(query):
    address = BingSource(DownloadOptions(), query).start()
    assert address.isascii()
    assert parse_qs(urlsplit(address).query)["q"] == [query]


def test_pages_follow_each_other_until_one_shows_nothing_new():
    source = BingSource(DownloadOptions(), "x")
    first = source.parse(Response(url="", data=page(result(1), result(2))), "")
    second = source.parse(Response(url="", data=page(result(2), result(3))), "")
    third = source.parse(Response(url="", data=page(result(3))), "")
    follow = [parse_qs(urlsplit(link).query)["first"] for link in first.links + second.links]
    assert follow == [["3"], ["4"]]
    assert third.links == []


def test_several_queries_are_searched_for_in_turn(site, answers, options, tmp_path, monkeypatch):
    monkeypatch.setattr(bing, "SEARCH", site.url + "/images/async")
    paths = site.pictures(4)
    shown = [result(number, murl=site.url + path) for number, path in enumerate(paths)]
    nothing = answers.body(page(), "text/html")
    for query, results in (("%E3%83%94%E3%82%AB", shown[:2]), ("cat", shown[1:])):
        site.routes[f"/images/async?q={query}&first=1&count=35"] = answers.body(page(*results), "text/html")
        site.routes[f"/images/async?q={query}&first={len(results) + 1}&count=35"] = nothing
    wanted = options(sources=("bing",), query=("ピカ", "cat"))

    outcome = download(wanted, dataset=tmp_path / "dataset", folder=tmp_path / "folder")

    rows = list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl"))
    assert [(row["query"], row["rank"]) for row in rows] == [("ピカ", 1), ("ピカ", 2), ("cat", 1), ("cat", 2)]
    assert rows[0]["page"] == "https://pages.example/0"
    assert outcome.summary["sources"]["bing"]["pages"] == 4
    assert sum(site.hits[path] for path in paths) == 4
