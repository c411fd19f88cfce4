"""Large crawls in several processes: killed again and again, of a hundred thousand addresses, of hostile servers."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.loopback_server import serving
from tests.crawl.hostile import MOST, hostile_responders

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[2]
HEAD, TAIL = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff", b"!\xfe\x0c%012d\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
MANY = 100_000
OWN_MIB, WORKER_MIB = 160, 100  # most resident memory of the crawl's own process, and of a worker
CRAWL = """
import json, sys
from pathlib import Path
from pipeline.crawl import worker_lanes
from pipeline.crawl.download import download
from pipeline.options import DownloadOptions
from tests.memory import peak_mib
if __name__ == "__main__":
    worker_lanes.FRUITLESS = 1000  # a test kills workers before they have begun
    folder, name, wanted = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    options = DownloadOptions(sources=("urls",), urls=str(folder / "urls.txt"), allow_private=True, **wanted)
    result = download(options, dataset=folder / name, folder=folder / f"{name} out")
    print(json.dumps({"summary": result.summary, "outputs": result.outputs, "mib": peak_mib()}))
"""


def start(folder, name, **options):
    command = [sys.executable, "-c", CRAWL, folder, name, json.dumps({"limit": 10**6, **options})]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate()
    return read_result(process, output, errors)


def read_result(process, output, errors):
    assert process.returncode == 0, errors[-3000:]
    assert errors == ""
    return json.loads(output)


def rows(folder, name):
    lines = (folder / f"{name} out" / "images.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "time": ""} for line in lines]


def answer(path):
    """A picture for each number, for some the same as for another, and for some none."""
    if not path.endswith(b".gif") or int(path[1:-4]) % 7 == 3:
        return None
    number = int(path[1:-4])
    return HEAD + TAIL % (number - 1 if number % 11 == 5 else number)


def write_urls(folder, base, count):
    (folder / "urls.txt").write_text("".join(f"{base}/{number}.gif\n" for number in range(count)))


def workers_of(process):
    """Its workers, and the server that they are forked from."""
    with suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "forkserver" in " ".join(child.cmdline())]
    return []


def test_kills_at_random_moments_change_nothing_of_the_result(tmp_path):
    chance = random.Random(7)
    with serving(answer, delay=0.02) as base:
        write_urls(tmp_path, base, 12_000)
        whole = finish(start(tmp_path, "whole", processes=1))
        kills = {"parent": 0, "worker": 0}
        while True:
            process = start(tmp_path, "killed", processes=3)
            end = time.monotonic() + chance.uniform(1, 6) + 2 * kills["parent"]
            while process.poll() is None and time.monotonic() < end:
                time.sleep(chance.uniform(0.2, 1.5))
                if (found := workers_of(process)) and chance.random() < 0.7:
                    with suppress(psutil.Error):
                        chance.choice(found).kill()
                        kills["worker"] += 1
            ended_by_itself = process.poll() is not None
            if not ended_by_itself:
                process.send_signal(signal.SIGKILL)
                kills["parent"] += 1
            output, errors = process.communicate()
            # A server of workers that is killed twice while it starts ends the run, which says so
            if ended_by_itself and "no process could be started" not in errors:
                break
        killed = read_result(process, output, errors)
    assert kills["parent"] > 2
    assert kills["worker"] > 2
    assert killed["outputs"] == whole["outputs"]
    assert {**killed["summary"]} == {**whole["summary"]}
    assert rows(tmp_path, "killed") == rows(tmp_path, "whole")
    assert not [process for process in psutil.process_iter() if process.ppid() == os.getpid() and is_python(process)]


def is_python(process):
    with suppress(psutil.Error):
        return "download(options" in " ".join(process.cmdline())
    return False


def test_outcomes_before_a_kill_are_not_asked_for_again(tmp_path):
    with serving(answer, delay=0.02) as base:
        write_urls(tmp_path, base, 3000)
        process = start(tmp_path, "dataset", processes=2)
        archive = tmp_path / "dataset" / "archive.sqlite"
        while count_outcomes(archive) < 1000 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = outcomes(archive)
        assert len(before) >= 1000
        finish(start(tmp_path, "dataset", processes=2))
        after = outcomes(archive)
    asked = [url for url, known_at in before.items() if after[url] != known_at]
    assert asked == []
    assert len(after) == 3000


def outcomes(archive):
    with closing(sqlite3.connect(archive)) as connection:
        return dict(connection.execute("SELECT url, time FROM urls"))


def count_outcomes(archive):
    with suppress(sqlite3.Error):
        return len(outcomes(archive)) if archive.exists() else 0
    return 0


def test_a_hundred_thousand_addresses_take_little_memory(tmp_path, capsys):
    largest = [0.0]

    def watch(process):
        while process.poll() is None:
            for worker in workers_of(process):
                with suppress(psutil.Error):
                    largest[0] = max(largest[0], worker.memory_info().rss / 2**20)
            time.sleep(0.5)

    with serving(answer) as base:
        write_urls(tmp_path, base, MANY)
        process = start(tmp_path, "dataset", processes=2, connections=32)
        threading.Thread(target=watch, args=(process,), daemon=True).start()
        began = time.monotonic()
        found = finish(process)
    with capsys.disabled():
        print(
            f"\n{MANY} addresses: {time.monotonic() - began:.0f} s, {found['mib']:.0f} and {largest[0]:.0f} MiB ",
            end="",
        )
    summary = found["summary"]
    assert summary["requested"] == sum(1 for _ in (tmp_path / "dataset out" / "images.jsonl").open()) == MANY
    assert summary["saved"] + summary["duplicate"] + summary["failed"] == MANY
    assert summary["reasons"]["HTTP 404"] == len([number for number in range(MANY) if number % 7 == 3])
    assert found["mib"] < OWN_MIB
    assert largest[0] < WORKER_MIB


def test_hostile_servers_get_the_same_outcomes_from_several_processes(sites, responders, tmp_path):
    expected = {}
    for site in sites:
        site.routes["/robots.txt"] = responders.body("User-agent: *\nDisallow: /nothing", "text/plain")
        for copy in range(3):
            for kind, (harm, outcome) in hostile_responders(responders).items():
                if "inward" not in kind:
                    path = f"/harm/{kind.replace(' ', '-')}-{copy}.png"
                    site.routes[path] = harm or responders.redirect(path)
                    expected[site.url + path] = outcome
    good = [site.url + path for number, site in enumerate(sites) for path in site.pictures(300, first=300 * number)]
    urls = sorted([*expected, *good], key=lambda url: zlib.crc32(url.encode()))
    (tmp_path / "urls.txt").write_text("\n".join(urls))

    found = finish(start(tmp_path, "dataset", processes=2, connections=32, timeout=6.0, retries=1, max_bytes=MOST))

    given = {row["url"]: (row["outcome"], row["reason"]) for row in rows(tmp_path, "dataset")}
    equal = {"busy", "broken", "cut-once", "wrong-type"}  # their bytes are those of other copies
    for url in expected:
        if url.split("/")[-1].rpartition("-")[0] in equal and given[url] == ("duplicate", "same bytes"):
            given[url] = ("saved", "")
    assert {url: given[url] for url in expected} == expected
    assert {given[url] for url in good} == {("saved", "")}
    assert found["mib"] < OWN_MIB
