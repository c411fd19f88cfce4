"""Crawls that are stopped, killed, concurrent with another, or that raise an error: nothing is lost, all
threads end.
"""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import Stopped, UserError

REPOSITORY = Path(__file__).parents[2]


def running_crawl_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(("feeder", "parser", "downloader"))]


def test_killed_crawl_resumes_without_fetching_saved_pictures_again(site, responders, run, tmp_path):
    paths = site.pictures(60)
    for path in paths:
        site.routes[path] = responders.slow(0.03, site.routes[path])
    site.page("/", *paths)
    whole, _ = run(dataset="other")
    site.hits.clear()
    dataset, folder = tmp_path / "dataset", tmp_path / "killed"
    code = (
        "import sys; from pathlib import Path; from pipeline.crawl.download import download;"
        "from pipeline.options import DownloadOptions;"
        f"download(DownloadOptions(sources=('site',), site={site.url + '/'!r}, allow_private=True, connections=2),"
        f"dataset=Path({str(dataset)!r}), folder=Path({str(folder)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    while sum(site.hits[path] for path in paths) < 20 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    with sqlite3.connect(dataset / "archive.sqlite") as archive:
        kept = {url for (url,) in archive.execute("SELECT url FROM urls WHERE outcome = 'saved'")}
    archive.close()
    before = dict(site.hits)

    resumed, _ = run()

    assert len(kept) >= 10
    again = [path for path in paths if site.url + path in kept and site.hits[path] > before[path]]
    assert again == []
    assert resumed.summary["saved"] == 60
    assert resumed.outputs == whole.outputs


def test_stop_ends_all_threads_and_keeps_fetched_pictures(site, responders, run, tmp_path):
    paths = site.pictures(10)
    site.routes |= {f"/hang{number}.png": responders.slow(30, responders.body(b"")) for number in range(8)}
    site.page("/", *paths, *(f"/hang{number}.png" for number in range(8)))
    seen = []

    with pytest.raises(Stopped):
        run(timeout=60.0, progress=lambda done, *_: seen.append(done), should_stop=lambda: seen[-1:] == [10])

    assert not running_crawl_threads()
    with sqlite3.connect(tmp_path / "dataset" / "archive.sqlite") as archive:
        assert archive.execute("SELECT COUNT(*) FROM urls WHERE outcome = 'saved'").fetchone() == (10,)
        assert archive.execute("SELECT COUNT(*) FROM urls").fetchone() == (10,)
    archive.close()


def test_keyboard_interrupt_raises_stopped_and_ends_all_threads(site, responders, run):
    site.routes["/hang.png"] = responders.slow(30, responders.body(b""))
    site.page("/", "/hang.png")

    def raise_keyboard_interrupt():
        if site.hits["/hang.png"]:
            raise KeyboardInterrupt
        return False

    with pytest.raises(Stopped):
        run(timeout=60.0, should_stop=raise_keyboard_interrupt)
    assert not running_crawl_threads()


def test_error_in_a_thread_is_raised_by_the_crawler(site, run, monkeypatch):
    site.page("/", *site.pictures(30))

    def raise_zero_division(*_):
        raise ZeroDivisionError("a mistake in the code")

    monkeypatch.setattr("pipeline.crawl.crawl_threads.PictureDownloader.outcome_of_request", raise_zero_division)

    with pytest.raises(ZeroDivisionError):
        run()
    assert not running_crawl_threads()


def test_two_concurrent_crawls_of_one_dataset_give_equal_outputs(site, run):
    site.page("/", *site.pictures(80))
    results = []
    threads = [threading.Thread(target=lambda: results.append(run()[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.summary["saved"] for result in results] == [80, 80]
    assert results[0].outputs == results[1].outputs


def test_full_disk_raises_user_error_with_advice(site, run, monkeypatch):
    site.page("/", *site.pictures(5))

    def raise_disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.crawl.storage.os.replace", raise_disk_full)

    with pytest.raises(UserError, match="No space left on device; free some space"):
        run()
    assert not running_crawl_threads()
