"""Openverse's API: small answers of the shape that it gives."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.download import download
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources import openverse
from pipeline.crawl.sources.openverse import OpenverseSource
from pipeline.options import DownloadOptions
from pipeline.store import jsonl

ROW = {
    "id": "0aff3595-8168-440b-83ff-7a80b65dea42",
    "title": "Cat on a wall",
    "foreign_landing_url": "https://photos.example/cat/1",
    "url": "https://live.photos.example/1.jpg",
    "creator": "A. Photographer",
    "license": "by-sa",
    "license_version": "2.0",
    "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
    "width": 1024,
    "height": 683,
}


def answer(*rows, pages=1):
    text = json.dumps({"result_count": len(rows), "page_count": pages, "page_size": 20, "page": 1, "results": rows})
    return Response(url="", data=text.encode(), status=200)


def test_a_result_comes_with_licence_creator_and_landing_page():
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(answer(ROW), "").candidates
    assert found.url == ROW["url"]
    assert found.page == ROW["foreign_landing_url"]
    assert (found.title, found.creator) == ("Cat on a wall", "A. Photographer")
    assert found.license == "by-sa 2.0 (https://creativecommons.org/licenses/by-sa/2.0/)"


def test_what_a_result_lacks_is_empty():
    bare = {"url": ROW["url"], "title": None, "creator": None, "license": "cc0", "license_version": None}
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(answer(bare, {"url": None}), "").candidates
    assert (found.title, found.creator, found.page, found.license) == ("", "", "", "cc0")


def test_pages_are_asked_for_as_long_as_there_are_any():
    source = OpenverseSource(DownloadOptions(), "ピカチュウ")
    links = [source.parse(answer(ROW, pages=3), "").links for _ in range(3)]
    asked = [parse_qs(urlsplit(link[0]).query) for link in links[:2]]
    assert [query["page"] for query in asked] == [["2"], ["3"]]
    assert asked[0]["q"] == ["ピカチュウ"]
    assert links[2] == []


@pytest.mark.parametrize("data", [b"<html>", b"[]", b'{"results": [1], "page_count": 1}', b'{"detail": "too many"}'])
def test_any_other_answer_is_a_fault(data):
    got = OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), "")
    assert isinstance(got, Fault)


@pytest.mark.parametrize("count", ["1e400", "9" * 300, "-1", "NaN"])
def test_a_count_of_pages_beyond_all_bounds_loses_no_pictures(count):
    data = b'{"results": [' + json.dumps(ROW).encode() + b'], "page_count": ' + count.encode() + b"}"
    assert len(OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), "").candidates) == 1


def test_a_tower_of_brackets_and_an_endless_number_are_faults():
    for data in (b"[" * 1_000_000, b'{"results": [], "page_count": ' + b"9" * 1_000_000 + b"}"):
        assert isinstance(OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), ""), Fault)


def test_only_web_addresses_are_shown_as_links():
    bad = ROW | {"license_url": "javascript:alert(1)", "foreign_landing_url": "javascript:alert(2)"}
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(answer(bad), "").candidates
    assert (found.license, found.page) == ("by-sa 2.0", "")


def test_the_next_source_goes_on_where_openverse_is_exhausted(site, answers, options, tmp_path, monkeypatch):
    monkeypatch.setattr(openverse, "SEARCH", site.url + "/v1/images/")
    picture, other = site.pictures(2)
    found = answer(ROW | {"url": site.url + picture}, pages=2)
    site.routes["/v1/images/?q=cat&page=1&page_size=20"] = answers.body(found.data, "application/json")
    site.routes["/v1/images/?q=cat&page=2&page_size=20"] = answers.body(b"{}", "application/json", status=429)
    site.routes["/robots.txt"] = answers.body("User-agent: *\nDisallow: /v1/", "text/plain")
    site.page("/", other)

    outcome = download(
        options(sources=("openverse", "site"), query=("cat",), retries=0),
        dataset=tmp_path / "dataset",
        folder=tmp_path / "folder",
    )

    rows = list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl"))
    assert [(row["engine"], row["outcome"]) for row in rows] == [("openverse", "saved"), ("site", "saved")]
    assert rows[0]["license"].startswith("by-sa 2.0")
    assert any("openverse 'cat': 1 page not read: HTTP 429" in notice for notice in outcome.summary["notices"])
