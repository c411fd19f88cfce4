"""The second crawl of a subject, and the hundredth: what it asks for, and what it adds."""

import json

import pytest

from pipeline.crawl.download import download


@pytest.fixture
def run(tmp_path, options):
    """Crawl the same dataset again; returns the summary and the rows by path."""
    attempts = iter(range(100))

    def crawl(**changes):
        folder = tmp_path / f"attempt{next(attempts)}"
        wanted = options(**changes)
        result = download(wanted, dataset=tmp_path / "dataset", folder=folder)
        lines = (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()
        return result.summary, [json.loads(line) for line in lines]

    return crawl


def asked(site):
    return {path for path in site.hits if path.startswith("/p/")}


def test_a_nightly_crawl_adds_to_what_was_there(site, run):
    site.page("/", *site.pictures(10))
    run(limit=10)
    site.hits.clear()
    site.page("/", *site.pictures(10, first=6))

    summary, rows = run(limit=10)

    assert asked(site) == {f"/p/{number:04d}.png" for number in range(10, 16)}
    assert (summary["requested"], summary["saved"], summary["earlier"]) == (16, 16, 6)
    assert len({row["url"] for row in rows}) == 16
    assert "6 more that only earlier crawls found" in summary["notices"]


def test_what_earlier_crawls_found_keeps_what_was_known_of_it(site, answers, run):
    site.routes["/"] = answers.body('<title>A</title><img src="/p/0000.png" alt="Ash">', "text/html")
    site.pictures(2)
    _, (first,) = run()
    site.page("/", "/p/0001.png")

    _, rows = run()

    assert [row for row in rows if row["url"] == first["url"]] == [first]


def test_passing_failures_of_earlier_crawls_are_tried_again_and_lasting_ones_are_not(site, answers, run):
    site.routes |= {"/p/down.png": answers.body(b"", status=503), "/p/gone.png": answers.body(b"", status=410)}
    site.page("/", "/p/down.png", "/p/gone.png", *site.pictures(1))
    run(retries=0)
    site.hits.clear()
    site.page("/", *site.pictures(1, first=5))
    site.routes["/p/down.png"] = answers.body(answers.png(99))

    summary, _ = run(retries=0)

    assert asked(site) == {"/p/down.png", "/p/0005.png"}
    assert (summary["saved"], summary["failed"]) == (3, 1)


def test_a_higher_limit_goes_on_where_the_lower_one_ended(site, run):
    site.page("/", *site.pictures(30))
    run(limit=10)
    site.hits.clear()

    summary, _ = run(limit=25)

    assert asked(site) == {f"/p/{number:04d}.png" for number in range(10, 25)}
    assert summary["requested"] == 25


def test_a_lower_limit_is_kept_to(site, run):
    site.page("/", *site.pictures(30))
    run(limit=30)
    site.hits.clear()

    summary, _ = run(limit=10)

    assert not asked(site)
    assert (summary["requested"], summary["earlier"]) == (10, 0)


def test_another_site_in_the_same_dataset_is_another_topic(site, run):
    site.page("/", *site.pictures(3))
    site.page("/other", *site.pictures(2, first=10))
    run()

    summary, _ = run(site=site.url + "/other")

    assert summary["requested"] == 2


def test_a_list_is_what_it_says_today(site, run, tmp_path):
    listed = tmp_path / "urls.txt"
    for paths in (site.pictures(3), site.pictures(1)):
        listed.write_text("\n".join(site.url + path for path in paths))
        summary, _ = run(sources=("urls",), urls=str(listed))
    assert summary["requested"] == 1


def test_a_night_without_a_network_loses_nothing(site, answers, run):
    site.page("/", *site.pictures(4))
    run()
    site.routes["/"] = answers.body(b"", status=502)

    summary, _ = run(retries=0)

    assert summary["saved"] == 4
    assert any("HTTP 502" in notice for notice in summary["notices"])


def test_pictures_that_are_known_need_no_turn_at_their_host(site, run):
    site.page("/", *site.pictures(20))
    run()
    site.hits.clear()

    summary, _ = run(host_rate=0.5)  # at two seconds each, twenty would take far longer than a test may

    assert (summary["saved"], asked(site)) == (20, set())


def test_failures_of_earlier_crawls_are_tried_again_only_within_the_limit(site, answers, run):
    for night in range(3):
        paths = [f"/p/{night}-{number}.png" for number in range(5)]
        site.routes |= {path: answers.body(b"", status=503) for path in paths[1:]}
        site.routes[paths[0]] = answers.body(answers.png(night))
        site.page("/", *paths)
        site.hits.clear()
        run(limit=5, retries=0)
        assert len(asked(site)) == 5
