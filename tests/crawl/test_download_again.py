"""Later crawls of the same dataset: what they request and what they add."""

import json

import pytest

from pipeline.crawl.download import download


@pytest.fixture
def run(tmp_path, options):
    """Crawl the same dataset again; return the summary and the rows."""
    attempts = iter(range(100))

    def crawl(**changes):
        folder = tmp_path / f"attempt{next(attempts)}"
        wanted = options(**changes)
        result = download(wanted, dataset=tmp_path / "dataset", folder=folder)
        lines = (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()
        return result.summary, [json.loads(line) for line in lines]

    return crawl


def requested_pictures(site):
    return {path for path in site.hits if path.startswith("/p/")}


def test_nightly_crawl_adds_to_earlier_pictures(site, run):
    site.page("/", *site.pictures(10))
    run(limit=10)
    site.hits.clear()
    site.page("/", *site.pictures(10, first=6))

    summary, rows = run(limit=10)

    assert requested_pictures(site) == {f"/p/{number:04d}.png" for number in range(10, 16)}
    assert (summary["requested"], summary["saved"], summary["earlier"]) == (16, 16, 6)
    assert len({row["url"] for row in rows}) == 16
    assert "6 more found by earlier crawls only" in summary["notices"]


def test_earlier_find_keeps_its_metadata(site, responders, run):
    site.routes["/"] = responders.body('<title>A</title><img src="/p/0000.png" alt="Ash">', "text/html")
    site.pictures(2)
    _, (first,) = run()
    site.page("/", "/p/0001.png")

    _, rows = run()

    assert [row for row in rows if row["url"] == first["url"]] == [first]


def test_only_transient_failures_of_earlier_crawls_are_retried(site, responders, run):
    site.routes |= {"/p/down.png": responders.body(b"", status=503), "/p/gone.png": responders.body(b"", status=410)}
    site.page("/", "/p/down.png", "/p/gone.png", *site.pictures(1))
    run(retries=0)
    site.hits.clear()
    site.page("/", *site.pictures(1, first=5))
    site.routes["/p/down.png"] = responders.body(responders.png(99))

    summary, _ = run(retries=0)

    assert requested_pictures(site) == {"/p/down.png", "/p/0005.png"}
    assert (summary["saved"], summary["failed"]) == (3, 1)


def test_higher_limit_requests_only_the_additional_pictures(site, run):
    site.page("/", *site.pictures(30))
    run(limit=10)
    site.hits.clear()

    summary, _ = run(limit=25)

    assert requested_pictures(site) == {f"/p/{number:04d}.png" for number in range(10, 25)}
    assert summary["requested"] == 25


def test_lower_limit_ignores_pictures_of_a_higher_one(site, run):
    site.page("/", *site.pictures(30))
    run(limit=30)
    site.hits.clear()

    summary, _ = run(limit=10)

    assert not requested_pictures(site)
    assert (summary["requested"], summary["earlier"]) == (10, 0)


def test_another_site_in_the_same_dataset_has_its_own_finds(site, run):
    site.page("/", *site.pictures(3))
    site.page("/other", *site.pictures(2, first=10))
    run()

    summary, _ = run(site=site.url + "/other")

    assert summary["requested"] == 2


def test_edited_url_list_drops_earlier_urls(site, run, tmp_path):
    listed = tmp_path / "urls.txt"
    for paths in (site.pictures(3), site.pictures(1)):
        listed.write_text("\n".join(site.url + path for path in paths))
        summary, _ = run(sources=("urls",), urls=str(listed))
    assert summary["requested"] == 1


def test_crawl_without_a_network_keeps_earlier_pictures(site, responders, run):
    site.page("/", *site.pictures(4))
    run()
    site.routes["/"] = responders.body(b"", status=502)

    summary, _ = run(retries=0)

    assert summary["saved"] == 4
    assert any("HTTP 502" in notice for notice in summary["notices"])


def test_archived_pictures_ignore_the_rate_limit(site, run):
    site.page("/", *site.pictures(20))
    run()
    site.hits.clear()

    summary, _ = run(host_rate=0.5)  # at two seconds each, twenty requests would exceed the test's timeout

    assert (summary["saved"], requested_pictures(site)) == (20, set())


def test_retries_of_earlier_failures_respect_the_limit(site, responders, run):
    for night in range(3):
        paths = [f"/p/{night}-{number}.png" for number in range(5)]
        site.routes |= {path: responders.body(b"", status=503) for path in paths[1:]}
        site.routes[paths[0]] = responders.body(responders.png(night))
        site.page("/", *paths)
        site.hits.clear()
        run(limit=5, retries=0)
        assert len(requested_pictures(site)) == 5
