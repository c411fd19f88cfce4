"""Measure how quick the label page is while a hundred programs ask the REST interface without a pause.

    .venv/bin/python benchmarks/studio_clients.py --clients 100 --seconds 20

Makes two datasets in a temporary folder, as `studio_pages.py` does, and starts the server. One person's browser is
played by a process that asks in turn for the label page, 120 squares of a view, and a square, first alone and then
beside the clients, which are threads of another process: each keeps its connection and asks again and again for the
jobs, a dataset, its progress and its trainings. All share the processor.
"""

import argparse
import http.client
import json
import multiprocessing
import platform
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from benchmarks.studio_pages import PORT, fetch, make, start

SQUARES, RUNS = 4000, 40
ASKED = (
    "/api/v1/jobs",
    "/api/v1/datasets/{big}",
    "/api/v1/datasets/{big}/progress",
    "/api/v1/datasets/{big}/trainings",
)


def ask_on(paths: list[str], ends: float, answered: "Synchronized[int]") -> None:
    """One client: ask for one of `paths` after the other until `ends`, in seconds since the epoch."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    while time.time() < ends:
        for path in paths:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{path}: status {response.status}")
            with answered.get_lock():
                answered.value += 1


def clients(count: int, paths: list[str], ends: float, answered: "Synchronized[int]") -> None:
    """The process of all clients."""
    threads = [threading.Thread(target=ask_on, args=(paths, ends, answered)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def person(big: str, ends: float) -> dict[str, list[float]]:
    """The seconds of each request of the label page, until `ends`."""
    page = f"/d/{big}/label"
    squares = f"/d/{big}/pictures?view=unlabelled&count=120"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request("GET", squares)
    first = json.loads(connection.getresponse().read())["pictures"][0]["id"]
    seconds: dict[str, list[float]] = {"the label page": [], "120 squares of a view": [], "a square": []}
    while time.time() < ends:
        for name, path in zip(seconds, (page, squares, f"/d/{big}/square/{first}"), strict=True):
            seconds[name].append(fetch(path))
    return seconds


def show(title: str, seconds: dict[str, list[float]]) -> None:
    """Print a line for each kind of request."""
    for name, times in seconds.items():
        print(
            f"{title:<16}{name:<24}median {statistics.median(times):6.3f} s   at most {max(times):6.3f} s", flush=True
        )


def main() -> None:
    """Measure alone, then beside the clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}; {json.dumps(vars(given))}")
    with tempfile.TemporaryDirectory() as name:
        big = make(Path(name), datasets=2, runs=RUNS, squares=SQUARES)
        server = start(Path(name))
        try:
            fetch(f"/d/{big}/label")
            show("alone", person(big, time.time() + given.seconds / 2))
            answered = multiprocessing.Value("i", 0)
            paths = [path.format(big=big) for path in ASKED]
            ends = time.time() + given.seconds
            process = multiprocessing.Process(target=clients, args=(given.clients, paths, ends, answered))
            process.start()
            show("beside them", person(big, ends))
            process.join()
            print(f"{given.clients} clients had {answered.value / given.seconds:.0f} answers a second")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
