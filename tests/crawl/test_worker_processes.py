"""A crawl in several processes: the same result as in one, the same limits, and what happens when a process dies."""

import json
import multiprocessing
import os
import signal
import threading

import psutil
import pytest

from pipeline.crawl.frontier import lane_of
from pipeline.errors import Stopped, UserError

RETRY_AFTER = 2  # seconds


def rows(folder):
    lines = (folder / "images.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "time": ""} for line in lines]


@pytest.fixture
def crawl(run, tmp_path):
    """Crawl a list of URLs in two worker processes, or as `options` say."""

    def start(urls, **options):
        listed = tmp_path / "urls.txt"
        listed.write_text("\n".join(urls))
        return run(**({"sources": ("urls",), "urls": str(listed), "processes": 2, "limit": 10_000} | options))

    yield start
    assert multiprocessing.active_children() == []


def worker_of(handler):
    """The worker process that sent a request."""
    port = handler.client_address[1]
    for child in multiprocessing.active_children():
        if any(connection.laddr.port == port for connection in psutil.Process(child.pid).net_connections()):
            return child
    raise AssertionError("no worker has this connection")


def test_several_processes_give_the_same_rows_notices_and_digests_as_one(sites, responders, crawl):
    urls = []
    for number, site in enumerate(sites):
        paths = site.pictures(30, first=20 * number)  # of which some have the bytes of others
        site.routes["/robots.txt"] = responders.body(f"User-agent: *\nDisallow: {paths[5]}", "text/plain")
        site.routes["/away.png"] = responders.redirect(sites[number - 1].url + paths[0])
        site.routes["/down.png"] = responders.body(b"", status=503)
        site.routes["/page.png"] = responders.body("<html>words</html>", "image/png")
        urls += [site.url + path for path in [*paths, "/away.png", "/down.png", "/page.png", "/gone.png"]]
    urls = urls[::7] + urls[::3] + urls + ["no address", "http://[", "ftp://a.example/x.png"]

    one, folder = crawl(urls, processes=1, dataset="one", limit=120, retries=0)
    hits = [site.hits.copy() for site in sites]
    for site in sites:
        site.hits.clear()
    several, other_folder = crawl(urls, processes=3, dataset="several", limit=120, retries=0)

    assert rows(other_folder) == rows(folder)
    assert several.outputs == one.outputs
    assert several.summary == one.summary
    assert one.summary["requested"] == 120
    assert sorted(os.listdir(other_folder / "images")) == sorted(os.listdir(folder / "images"))
    for site, before in zip(sites, hits, strict=True):
        assert {**site.hits, "/robots.txt": 0} == {**before, "/robots.txt": 0}


def test_each_host_keeps_its_limits_also_after_redirects_from_another_process(sites, responders, crawl):
    assert [lane_of(site.url.removeprefix("http://"), 2) for site in sites] == [1, 1, 2, 2]
    urls = []
    for number, site in enumerate(sites):
        paths = site.pictures(12, first=20 * number)
        site.routes |= {path: responders.slow(0.02, site.routes[path]) for path in paths}
        sites[number - 2].routes |= {f"/to{path}": responders.redirect(site.url + path) for path in paths[:6]}
        urls += [site.url + path for path in paths] + [f"{sites[number - 2].url}/to{path}" for path in paths[:6]]

    result, _ = crawl(urls, host_connections=2, host_rate=25, connections=32, robots=False)

    assert result.summary["saved"] + result.summary["duplicate"] == len(urls)
    for site in sites:
        assert site.most_requests_at_once <= 2
        assert site.times[-1] - site.times[0] > 0.9 * (len(site.times) - 1) / 25


def test_a_host_without_limit_is_asked_by_all_processes_until_it_wants_a_pause(site, responders, crawl):
    paths = site.pictures(400)
    workers, busy = set(), threading.Event()

    def note_worker(handler):
        if not busy.is_set():
            workers.add(worker_of(handler).pid)

    def be_busy(handler):
        busy.set()
        site.times.clear()
        responders.body(b"", status=429, Retry_After=str(RETRY_AFTER))(handler)

    for path in paths[::10]:
        picture = site.routes[path]
        site.routes[path] = lambda handler, picture=picture: (note_worker(handler), picture(handler))
    site.routes |= {path: responders.slow(0.02, site.routes[path]) for path in paths}
    site.routes[paths[350]] = responders.one_after_another(be_busy, site.routes[paths[350]])

    result, _ = crawl([site.url + path for path in paths])

    assert len(workers) == 2
    assert result.summary["saved"] == 400
    began = site.times[0]
    assert not [at for at in site.times if began + RETRY_AFTER / 2 < at < began + 0.95 * RETRY_AFTER]


def test_a_crawl_delay_holds_for_a_private_host_too(site, responders, crawl):
    site.routes["/robots.txt"] = responders.body("User-agent: *\nCrawl-delay: 0.2", "text/plain")
    result, _ = crawl([site.url + path for path in site.pictures(8)])
    assert result.summary["saved"] == 8
    assert site.most_requests_at_once == 1
    assert site.hits["/robots.txt"] == 1
    assert site.times[-1] - site.times[0] > 0.9 * 7 * 0.2


def test_a_killed_worker_is_replaced_and_nothing_is_lost(sites, responders, crawl):
    urls = [site.url + path for number, site in enumerate(sites) for path in site.pictures(40, first=40 * number)]
    for site in sites:
        site.routes |= {path: responders.slow(0.02, answer) for path, answer in site.routes.items()}
    whole, folder = crawl(urls, dataset="whole")
    killed = []

    def kill(done, *_):
        if done > 20 * (len(killed) + 1) and len(killed) < 3:
            killed.append(multiprocessing.active_children()[0])
            os.kill(killed[-1].pid, signal.SIGKILL)

    again, other_folder = crawl(urls, progress=kill, connections=8)

    assert len(killed) == 3
    assert again.outputs == whole.outputs
    assert rows(other_folder) == rows(folder)


def test_a_url_that_ends_its_process_twice_alone_fails_and_others_are_saved(sites, crawl):
    urls = [site.url + path for number, site in enumerate(sites) for path in site.pictures(15, first=20 * number)]

    def kill(handler):
        os.kill(worker_of(handler).pid, signal.SIGKILL)

    sites[0].routes["/killer.png"] = kill

    result, folder = crawl([*urls[:20], sites[0].url + "/killer.png", *urls[20:]])

    (failed,) = (row for row in rows(folder) if row["outcome"] != "saved")
    assert (failed["url"], failed["reason"]) == (sites[0].url + "/killer.png", "ended its process")
    assert result.summary["saved"] == len(urls)
    assert sites[0].hits["/killer.png"] in (2, 3)  # at first perhaps beside others


def test_stop_keeps_what_was_fetched_and_the_next_crawl_goes_on(sites, responders, crawl):
    urls = [site.url + path for number, site in enumerate(sites) for path in site.pictures(20, first=20 * number)]
    urls += [site.url + f"/hang{number}.png" for site in sites for number in range(4)]
    for site in sites:
        site.routes |= {f"/hang{number}.png": responders.slow(30, responders.body(b"")) for number in range(4)}
    seen = []

    with pytest.raises(Stopped):
        crawl(urls, timeout=60.0, progress=lambda done, *_: seen.append(done), should_stop=lambda: 80 in seen[-1:])
    for site in sites:
        site.routes |= (
            {f"/hang{number}.png": site.routes["/p/0000.png"] for number in range(4)} if site is sites[0] else {}
        )
        site.hits.clear()

    result, _ = crawl(urls[:80])

    assert result.summary["saved"] == 80
    assert not any(path.startswith("/p/") for site in sites for path in site.hits)


def test_a_disk_error_of_a_worker_is_one_line_for_the_user(sites, crawl, tmp_path):
    (tmp_path / "dataset" / "raw").mkdir(parents=True)
    (tmp_path / "dataset" / "raw" / "unfinished").write_text("no folder")
    with pytest.raises(UserError, match=r"unfinished: .*: move it away"):
        crawl([sites[0].url + path for path in sites[0].pictures(3)])
