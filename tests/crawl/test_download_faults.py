"""Unexpected errors in a crawl fail their URL or their page only."""

import json
from dataclasses import replace

from pipeline.crawl import outcome
from pipeline.crawl.robots import Robots
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.url_archive import UrlArchive

HTML = "text/html; charset=utf-8"


def rows(folder):
    return [json.loads(line) for line in (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()]


def rows_by_path(site, folder):
    return {row["url"].removeprefix(site.url): row for row in rows(folder)}


def test_unexpected_parser_error_is_reported_and_other_pages_are_read(site, run, monkeypatch):
    site.page("/", *site.pictures(1), ">/odd", ">/even")
    site.page("/odd", *site.pictures(1, first=1))
    site.page("/even", *site.pictures(1, first=2))
    parse = SiteSource.parse

    def raise_for_one_url(self, response, address):
        if address.endswith("/odd"):
            raise RecursionError
        return parse(self, response, address)

    monkeypatch.setattr(SiteSource, "parse", raise_for_one_url)

    result, _ = run()

    assert result.summary["saved"] == 2
    assert any("page cannot be parsed: RecursionError" in notice for notice in result.summary["notices"])


def test_unwritable_row_fails_its_picture_only(site, run, monkeypatch):
    paths = site.pictures(3)
    site.page("/", *paths)
    of_response, put_find = outcome.of_response, UrlArchive.put_find

    def huge_width(response, options):
        known = of_response(response, options)
        return replace(known, width=2**63) if response.url.endswith(paths[0]) else known

    def huge_rank(self, entry, limit):
        put_find(self, replace(entry, rank=2**63) if entry.candidate.url.endswith(paths[1]) else entry, limit)

    monkeypatch.setattr(outcome, "of_response", huge_width)
    monkeypatch.setattr(UrlArchive, "put_find", huge_rank)

    result, folder = run()

    assert [(row["outcome"], row["reason"]) for row in rows(folder)] == [
        ("failed", "row not writable"),
        ("failed", "row not writable"),
        ("saved", ""),
    ]
    assert result.summary["requested"] == 3


def test_unexpected_error_fails_its_url_only(site, run, monkeypatch):
    paths = site.pictures(3)
    site.page("/", *paths)
    fetch = SiteSource.fetch

    def raise_for_one_url(self, request, http_client):
        if request.start_url.endswith(paths[1]):
            raise RecursionError
        return fetch(self, request, http_client)

    monkeypatch.setattr(SiteSource, "fetch", raise_for_one_url)

    _, folder = run()

    assert [row["reason"] for row in rows(folder)] == ["", "unexpected RecursionError", ""]


def test_implausible_content_length_is_requested_once(site, run):
    def send_huge_content_length(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**30))
        handler.end_headers()

    site.routes["/huge.png"] = send_huge_content_length
    site.page("/", "/huge.png", *site.pictures(1))
    for _ in range(2):
        result, folder = run()
        assert rows_by_path(site, folder)["/huge.png"]["reason"] == "too large"
        assert rows_by_path(site, folder)["/huge.png"]["bytes"] is None
        assert result.summary["saved"] == 1
    assert site.hits["/huge.png"] == 1


def test_text_from_servers_contains_no_control_characters(site, responders, run):
    site.routes["/odd"] = responders.body(b"", "\x9b31mvideo\x1b[0m" * 100)
    title = '<!doctype html><title>\x1b[31mred &#x202e;&#x9b;</title><meta name="author" content="a\nb">'
    site.routes["/"] = responders.body(
        f'{title}<img src="/\x1b[31m.png"><img src="/p/0000.png"><a href="/odd">x</a>', HTML
    )
    site.pictures(1)

    result, folder = run()

    shown_lines = [*result.summary["notices"], *(str(value) for row in rows(folder) for value in row.values())]
    assert any("not a page" in line for line in shown_lines)
    assert all(line.isprintable() for line in shown_lines)


def test_unexpected_request_error_is_reported_and_other_pages_are_read(site, run, monkeypatch):
    site.page("/", *site.pictures(1), ">/odd", ">/even")
    site.page("/even", *site.pictures(1, first=2))
    refusal = Robots.refusal

    def raise_for_one_url(self, url):
        if url.endswith("/odd"):
            raise OverflowError
        return refusal(self, url)

    monkeypatch.setattr(Robots, "refusal", raise_for_one_url)

    result, _ = run()

    assert result.summary["saved"] == 2
    assert any("page cannot be parsed: OverflowError" in notice for notice in result.summary["notices"])
