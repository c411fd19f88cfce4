"""Openverse's API: small responses in its format."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.download import download
from pipeline.crawl.request import RequestFault, Response
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


def fake_response(*rows, pages=1):
    text = json.dumps({"result_count": len(rows), "page_count": pages, "page_size": 20, "page": 1, "results": rows})
    return Response(url="", data=text.encode(), status=200)


def test_result_has_licence_creator_and_page():
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(fake_response(ROW), "").candidates
    assert found.url == ROW["url"]
    assert found.page == ROW["foreign_landing_url"]
    assert (found.title, found.creator) == ("Cat on a wall", "A. Photographer")
    assert found.license == "by-sa 2.0 (https://creativecommons.org/licenses/by-sa/2.0/)"


def test_missing_fields_are_empty():
    bare = {"url": ROW["url"], "title": None, "creator": None, "license": "cc0", "license_version": None}
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(fake_response(bare, {"url": None}), "").candidates
    assert (found.title, found.creator, found.page, found.license) == ("", "", "", "cc0")


def test_paging_stops_after_the_last_page():
    source = OpenverseSource(DownloadOptions(), "ピカチュウ")
    links = [source.parse(fake_response(ROW, pages=3), "").links for _ in range(3)]
    queries = [parse_qs(urlsplit(link[0]).query) for link in links[:2]]
    assert [query["page"] for query in queries] == [["2"], ["3"]]
    assert queries[0]["q"] == ["ピカチュウ"]
    assert links[2] == []


@pytest.mark.parametrize("data", [b"<html>", b"[]", b'{"results": [1], "page_count": 1}', b'{"detail": "too many"}'])
def test_response_of_another_shape_is_a_fault(data):
    got = OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), "")
    assert isinstance(got, RequestFault)


@pytest.mark.parametrize("count", ["1e400", "9" * 300, "-1", "NaN"])
def test_implausible_page_count_loses_no_pictures(count):
    data = b'{"results": [' + json.dumps(ROW).encode() + b'], "page_count": ' + count.encode() + b"}"
    assert len(OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), "").candidates) == 1


def test_deep_nesting_and_huge_numbers_are_faults():
    for data in (b"[" * 1_000_000, b'{"results": [], "page_count": ' + b"9" * 1_000_000 + b"}"):
        assert isinstance(
            OpenverseSource(DownloadOptions(), "cat").parse(Response(url="", data=data), ""), RequestFault
        )


def test_only_web_urls_are_kept():
    bad = ROW | {"license_url": "javascript:alert(1)", "foreign_landing_url": "javascript:alert(2)"}
    (found,) = OpenverseSource(DownloadOptions(), "cat").parse(fake_response(bad), "").candidates
    assert (found.license, found.page) == ("by-sa 2.0", "")


def test_next_source_is_crawled_after_openverse_fails(site, responders, options, tmp_path, monkeypatch):
    monkeypatch.setattr(openverse, "SEARCH", site.url + "/v1/images/")
    picture, other = site.pictures(2)
    found = fake_response(ROW | {"url": site.url + picture}, pages=2)
    site.routes["/v1/images/?q=cat&page=1&page_size=20"] = responders.body(found.data, "application/json")
    site.routes["/v1/images/?q=cat&page=2&page_size=20"] = responders.body(b"{}", "application/json", status=429)
    site.routes["/robots.txt"] = responders.body("User-agent: *\nDisallow: /v1/", "text/plain")
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
