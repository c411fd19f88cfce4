"""The download stage against a site that responds like real sites."""

import json
import os
import time

import pytest

from pipeline.crawl.download import download
from pipeline.errors import DamagedState, UserError
from pipeline.store import digest

HTML = "text/html; charset=utf-8"


def rows(folder):
    return [json.loads(line) for line in (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()]


def rows_by_path(site, folder):
    return {row["url"].removeprefix(site.url): row for row in rows(folder)}


def test_each_kind_of_response_becomes_a_row_with_its_reason(site, responders, run):
    good, twin = responders.body(responders.png(1)), responders.body(responders.png(1))
    site.routes |= {
        "/robots.txt": responders.body("User-agent: *\nDisallow: /secret", "text/plain"),
        "/good.png": good,
        "/twin.jpg": twin,
        "/flaky.png": responders.one_after_another(
            responders.body(b"", status=500), responders.body(responders.png(2))
        ),
        "/down.png": responders.body(b"", status=503),
        "/page.jpg": responders.body("<html>no picture</html>", "image/jpeg"),
        "/short.png": responders.cut_short,
        "/endless.png": responders.endless,
        "/huge.png": responders.body(bytes(200_000)),
        "/drip.png": responders.drip,
        "/loop.png": responders.redirect("/loop.png"),
        "/moved.png": responders.redirect("/flaky2.png"),
        "/flaky2.png": responders.body(responders.png(3)),
        "/secret.png": responders.body(responders.png(4)),
        "/empty.png": responders.body(b""),
    }
    names = ["good", "flaky", "down", "page", "short", "endless", "huge", "drip", "loop", "moved", "secret", "empty"]
    paths = [f"/{name}.{'jpg' if name == 'page' else 'png'}" for name in names] + ["/twin.jpg", "/missing.png"]
    site.page("/", *paths)

    result, folder = run(max_bytes=100_000, timeout=1.5, retries=1)

    found = {path: (row["outcome"], row["reason"]) for path, row in rows_by_path(site, folder).items()}
    assert found == {
        "/good.png": ("saved", ""),
        "/flaky.png": ("saved", ""),
        "/down.png": ("failed", "HTTP 503"),
        "/page.jpg": ("rejected", "not an image: html"),
        "/short.png": ("failed", "body cut short"),
        "/endless.png": ("rejected", "too large"),
        "/huge.png": ("rejected", "too large"),
        "/drip.png": ("failed", "timeout"),
        "/loop.png": ("failed", "too many redirects"),
        "/moved.png": ("saved", ""),
        "/secret.png": ("rejected", "robots.txt"),
        "/empty.png": ("rejected", "not an image: empty"),
        "/twin.jpg": ("duplicate", "same bytes"),
        "/missing.png": ("failed", "HTTP 404"),
    }
    assert site.hits["/secret.png"] == 0
    assert site.hits["/down.png"] == 2
    assert site.hits["/missing.png"] == 1
    assert site.hits["/robots.txt"] == 1
    summary = result.summary
    counted = {name: summary[name] for name in ("requested", "saved", "duplicate", "rejected", "failed")}
    assert counted == {"requested": 14, "saved": 3, "duplicate": 1, "rejected": 5, "failed": 5}
    assert summary["sources"] == {"site": {**counted, "pages": 1}}
    assert summary["reasons"]["too large"] == 2
    assert sum(summary["reasons"].values()) == 11


def test_pictures_are_stored_by_sha256_with_the_extension_of_their_type(site, responders, run, tmp_path):
    site.routes["/a.jpg"] = responders.body(responders.png(1), "image/jpeg")
    site.page("/", "/a.jpg")

    result, folder = run()

    name = digest.of_bytes(responders.png(1))
    for parent in (folder / "images", tmp_path / "dataset" / "raw" / name[:2]):
        assert [path.name for path in parent.iterdir()] == [f"{name}.png"]
        assert (parent / f"{name}.png").read_bytes() == responders.png(1)
    assert result.outputs["images"] == digest.of_set([name])
    assert [row["id"] for row in rows(folder)] == [name]
    assert {"width": 8, "height": 8, "type": "png", "status": 200, "rank": 1}.items() <= rows(folder)[0].items()
    assert not list((tmp_path / "dataset" / "raw" / "unfinished").iterdir())


def test_first_of_equal_pictures_is_saved_regardless_of_response_order(site, responders, run):
    site.routes |= {
        "/late.png": responders.slow(0.3, responders.body(responders.png(1))),
        "/soon.png": responders.body(responders.png(1)),
    }
    site.page("/", "/late.png", "/soon.png")

    _, folder = run()

    assert [row["outcome"] for row in rows(folder)] == ["saved", "duplicate"]


def test_slow_pages_and_pictures_are_all_saved_in_page_order(site, responders, run):
    paths = site.pictures(200)
    site.page("/", *paths[:100], ">/second")
    site.page("/second", *paths[100:150], ">/third", ">/")
    site.page("/third", *paths[150:], ">/second")
    site.routes["/second"] = responders.slow(1, site.routes["/second"])
    for path in paths[:100:9]:
        site.routes[path] = responders.slow(0.05, site.routes[path])

    result, folder = run(connections=3)

    assert result.summary["saved"] == result.summary["requested"] == 200
    assert result.summary["pages"] == 3
    assert [row["url"].removeprefix(site.url) for row in rows(folder)] == paths
    assert [row["rank"] for row in rows(folder)] == list(range(1, 201))


def test_limit_requests_only_the_first_pictures_breadth_first(site, run):
    paths = site.pictures(40)
    site.page("/", *paths[:10], ">/b", ">/c")
    site.page("/b", *paths[10:20], ">/d")
    site.page("/c", *paths[20:30])
    site.page("/d", *paths[30:])

    result, folder = run(limit=25)

    assert [row["url"].removeprefix(site.url) for row in rows(folder)] == paths[:25]
    assert sum(site.hits[path] for path in paths) == 25
    assert site.hits["/d"] == 0
    assert result.summary["notices"] == []


def test_endless_site_stops_after_the_page_limit(site, responders, run):
    site.pictures(1)
    site.page("/", "/p/0000.png", ">/1")
    for number in range(1, 50):
        site.page(f"/{number}", f">/{number + 1}")

    result, _ = run(pages=5)

    assert result.summary["pages"] == 5
    assert any("stopped after 5 pages" in notice for notice in result.summary["notices"])


def test_second_crawl_requests_only_new_urls_and_transient_failures(site, responders, run):
    paths = site.pictures(5)
    site.routes |= {"/down.png": responders.body(b"", status=503), "/text.png": responders.body("words", "image/png")}
    site.page("/", *paths, "/down.png", "/missing.png", "/text.png")
    first, _ = run(retries=0)
    site.hits.clear()
    site.page("/", *paths, "/down.png", "/missing.png", "/text.png", *site.pictures(1, first=50))
    site.routes["/down.png"] = responders.body(responders.png(99))

    second, folder = run(retries=0)

    requested = {path: count for path, count in site.hits.items() if path.endswith(".png")}
    assert requested == {"/down.png": 1, "/p/0050.png": 1}
    assert (first.summary["saved"], second.summary["saved"]) == (5, 7)
    assert (second.summary["failed"], second.summary["rejected"]) == (1, 1)
    assert len(list((folder / "images").iterdir())) == 7


def test_missing_or_damaged_raw_picture_is_fetched_again(site, run, tmp_path):
    gone, damaged, whole = site.pictures(3)
    site.page("/", gone, damaged, whole)
    first, folder = run()
    ids = {path: row["id"] for path, row in rows_by_path(site, folder).items()}
    raw = {path: tmp_path / "dataset" / "raw" / name[:2] / f"{name}.png" for path, name in ids.items()}
    raw[gone].unlink()
    raw[damaged].write_bytes(b"x")
    site.hits.clear()

    second, folder = run()

    assert (site.hits[gone], site.hits[damaged], site.hits[whole]) == (1, 1, 0)
    assert second.outputs == first.outputs
    for name in ids.values():
        assert digest.of_file(folder / "images" / f"{name}.png") == name


def test_rejected_url_is_checked_again_when_options_change(site, responders, run):
    paths = site.pictures(2)
    site.routes["/robots.txt"] = responders.body(f"User-agent: ganmill\nDisallow: {paths[0]}", "text/plain")
    site.routes["/large.png"] = responders.body(responders.png(5) + bytes(5000))
    site.page("/", *paths, "/large.png")

    strict, _ = run(max_bytes=4000)
    loose, _ = run(robots=False)
    strict_again, _ = run(max_bytes=4000)

    assert strict.summary["saved"] == 1
    assert loose.summary["saved"] == 3
    assert "too large" in strict_again.summary["reasons"]


def test_leftovers_of_an_earlier_attempt_are_replaced(site, options, tmp_path):
    site.page("/", *site.pictures(2))
    folder = tmp_path / "folder"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "half.png").write_bytes(b"half")
    (folder / "images.jsonl").write_text("{")

    download(options(), dataset=tmp_path / "dataset", folder=folder)

    assert len(list((folder / "images").iterdir())) == len(rows(folder)) == 2


def test_pictures_are_copied_if_hard_links_fail(site, run, monkeypatch):
    site.page("/", *site.pictures(1))

    def raise_os_error(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", raise_os_error)

    _, folder = run()

    assert digest.of_file(folder / "images" / f"{rows(folder)[0]['id']}.png") == rows(folder)[0]["id"]


def test_failing_source_is_reported_and_the_next_source_is_crawled(site, run, tmp_path):
    urls = tmp_path / "urls.txt"
    urls.write_text("\n".join(site.url + path for path in site.pictures(3)))

    result, folder = run(sources=("site", "urls"), site=site.url + "/nowhere", urls=str(urls))

    assert result.summary["sources"]["site"]["requested"] == 0
    assert result.summary["sources"]["urls"]["saved"] == 3
    assert any(notice.startswith("site: 1 page not read: HTTP 404") for notice in result.summary["notices"])
    assert {row["engine"] for row in rows(folder)} == {"urls"}


def test_no_saved_picture_raises_user_error_with_reasons(site, run):
    site.page("/", "/missing.png")
    with pytest.raises(UserError, match="none of 1 pictures could be saved: 1 HTTP 404"):
        run()


def test_damaged_archive_error_names_file_and_remedy(run, tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "archive.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(DamagedState, match=r"archive\.sqlite.*remove it"):
        run()


def test_requests_send_the_user_agent(site, run):
    site.page("/", *site.pictures(1))
    run(user_agent="ganmill/9 (test)")
    assert site.agents == {"ganmill/9 (test)"}


def test_icrawler_prints_nothing(site, run, capfd):
    site.page("/", *site.pictures(2), "/missing.png")
    run()
    assert capfd.readouterr() == ("", "")


def test_host_connections_limits_concurrent_requests(site, responders, run):
    paths = site.pictures(20)
    site.routes |= {path: responders.slow(0.05, site.routes[path]) for path in paths}
    site.page("/", *paths)

    result, _ = run(host_connections=3)

    assert result.summary["saved"] == 20
    assert 1 < site.most_requests_at_once <= 3


def test_host_rate_limits_requests_per_second(site, run):
    site.page("/", *site.pictures(20))
    began = time.monotonic()

    run(host_rate=40)

    assert time.monotonic() - began > 20 / 40


def test_mixed_sources_are_taken_round_robin(site, run, tmp_path):
    urls = tmp_path / "urls.txt"
    first, second = site.pictures(3), site.pictures(3, first=10)
    urls.write_text("\n".join(site.url + path for path in second))
    site.page("/", *first)

    _, folder = run(sources=("site", "urls"), urls=str(urls), mixed=True, limit=5)

    mixed = [path for pair in zip(first, second, strict=True) for path in pair]
    assert [row["url"].removeprefix(site.url) for row in rows(folder)] == mixed[:5]


def test_noai_pictures_and_pages_are_rejected_unless_robots_is_off(site, responders, run):
    site.routes |= {
        "/no.png": responders.body(responders.png(1), X_Robots_Tag="noai"),
        "/others.png": responders.body(responders.png(2), X_Robots_Tag="otherbot: noai"),
        "/kept": responders.body('<meta name="robots" content="noimageai"><img src="/secret.png">', "text/html"),
        "/secret.png": responders.body(responders.png(3)),
    }
    site.page("/", "/no.png", "/others.png", ">/kept")

    polite, folder = run()
    other, _ = run(robots=False)

    assert rows_by_path(site, folder)["/no.png"]["reason"] == "X-Robots-Tag: noai"
    assert any("1 page not read: meta robots: noimageai" in notice for notice in polite.summary["notices"])
    assert (polite.summary["saved"], other.summary["saved"]) == (1, 3)
