"""What nobody foresaw in a crawl is the failure of its URL or of its page alone."""

import json
from dataclasses import replace

from pipeline.crawl import outcome
from pipeline.crawl.robots import Robots
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.url_archive import UrlArchive

HTML = "text/html; charset=utf-8"


def rows(folder):
    return [json.loads(line) for line in (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()]


def by_path(site, folder):
    return {row["url"].removeprefix(site.url): row for row in rows(folder)}


def test_a_page_that_upsets_its_parser_is_told_of_and_the_others_are_read(site, run, monkeypatch):
    site.page("/", *site.pictures(1), ">/odd", ">/even")
    site.page("/odd", *site.pictures(1, first=1))
    site.page("/even", *site.pictures(1, first=2))
    parse = SiteSource.parse

    def upset(self, body, address):
        if address.endswith("/odd"):
            raise RecursionError
        return parse(self, body, address)

    monkeypatch.setattr(SiteSource, "parse", upset)

    result, _ = run()

    assert result.summary["saved"] == 2
    assert any("page not understood: RecursionError" in notice for notice in result.summary["notices"])


def test_a_row_that_cannot_be_written_is_the_failure_of_its_picture_alone(site, run, monkeypatch):
    paths = site.pictures(3)
    site.page("/", *paths)
    of_body, found = outcome.of_body, UrlArchive.found

    def odd(body, options):
        known = of_body(body, options)
        return replace(known, width=2**63) if body.url.endswith(paths[0]) else known

    def odder(self, entry, limit):
        found(self, replace(entry, rank=2**63) if entry.candidate.url.endswith(paths[1]) else entry, limit)

    monkeypatch.setattr(outcome, "of_body", odd)
    monkeypatch.setattr(UrlArchive, "found", odder)

    result, folder = run()

    assert [(row["outcome"], row["reason"]) for row in rows(folder)] == [
        ("failed", "row not writable"),
        ("failed", "row not writable"),
        ("saved", ""),
    ]
    assert result.summary["requested"] == 3


def test_an_error_that_nobody_foresaw_is_the_failure_of_its_url_alone(site, run, monkeypatch):
    paths = site.pictures(3)
    site.page("/", *paths)
    step = SiteSource.step

    def upset(self, errand, fetcher):
        if errand.start.endswith(paths[1]):
            raise RecursionError
        return step(self, errand, fetcher)

    monkeypatch.setattr(SiteSource, "step", upset)

    _, folder = run()

    assert [row["reason"] for row in rows(folder)] == ["", "unexpected RecursionError", ""]


def test_a_length_beyond_all_bounds_is_asked_for_once(site, run):
    def huge(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**30))
        handler.end_headers()

    site.routes["/huge.png"] = huge
    site.page("/", "/huge.png", *site.pictures(1))
    for _ in range(2):
        result, folder = run()
        assert by_path(site, folder)["/huge.png"]["reason"] == "too large"
        assert by_path(site, folder)["/huge.png"]["bytes"] is None
        assert result.summary["saved"] == 1
    assert site.hits["/huge.png"] == 1


def test_nothing_that_a_server_says_steers_a_terminal(site, answers, run):
    site.routes["/odd"] = answers.body(b"", "\x9b31mvideo\x1b[0m" * 100)
    title = '<!doctype html><title>\x1b[31mred &#x202e;&#x9b;</title><meta name="author" content="a\nb">'
    site.routes["/"] = answers.body(
        f'{title}<img src="/\x1b[31m.png"><img src="/p/0000.png"><a href="/odd">x</a>', HTML
    )
    site.pictures(1)

    result, folder = run()

    told = [*result.summary["notices"], *(str(value) for row in rows(folder) for value in row.values())]
    assert any("not a page" in line for line in told)
    assert all(line.isprintable() for line in told)


def test_a_page_whose_request_upsets_something_is_told_of_and_the_others_are_read(site, run, monkeypatch):
    site.page("/", *site.pictures(1), ">/odd", ">/even")
    site.page("/even", *site.pictures(1, first=2))
    refusal = Robots.refusal

    def upset(self, url):
        if url.endswith("/odd"):
            raise OverflowError
        return refusal(self, url)

    monkeypatch.setattr(Robots, "refusal", upset)

    result, _ = run()

    assert result.summary["saved"] == 2
    assert any("page not understood: OverflowError" in notice for notice in result.summary["notices"])
