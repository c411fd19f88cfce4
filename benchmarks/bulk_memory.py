"""Measure the memory and the time that a crawl of a very long list of addresses takes.

    .venv/bin/python benchmarks/bulk_memory.py [--addresses 200000 1000000] [--work DIR]

A server on loopback, in its own process, answers at once: with a picture of one pixel, whose bytes differ for each
address, or with 404 for each fifth. The command is `python -m tasks run --until download` with the settings of a user.
The table has addresses a second, the peak resident memory of the command's own process and of its largest worker, and
the size of the frontier and of the URL archive. A million takes about twenty minutes on two cores and 12 GB of disk.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.loopback_server import serving
from benchmarks.machine import machine

REPOSITORY = Path(__file__).parents[1]
POLL = 0.2  # seconds between two looks
MISSING = 5  # each so many addresses there is none
HEAD, TAIL = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff", b"!\xfe\x0c%012d\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
SETTINGS = """
[bulk.download]
sources = urls
urls = {urls}
limit = 100000000
allow_private = true
connections = 64
"""


@dataclass
class Peaks:
    """The highest values seen of a process and its children: MiB of resident memory, and of files in its dataset."""

    own: float = 0.0
    worker: float = 0.0
    frontier: float = 0.0
    archive: float = 0.0

    def watch(self, pid: int, dataset: Path, ended: threading.Event) -> None:
        """Look again and again until the process has ended."""
        process = psutil.Process(pid)
        while not ended.wait(POLL):
            with suppress(psutil.Error, OSError):
                self.own = max(self.own, process.memory_info().rss / 2**20)
                for child in process.children(recursive=True):
                    self.worker = max(self.worker, child.memory_info().rss / 2**20)
                self.frontier = max(self.frontier, _mib(dataset.glob("download/.work-*/frontier.sqlite")))
                self.archive = max(self.archive, _mib(dataset.glob("archive.sqlite*")))


def _mib(paths) -> float:
    return sum(path.stat().st_size for path in paths) / 2**20


def answer(path: bytes) -> bytes | None:
    """The picture at a path such as /17.gif."""
    name, _, suffix = path[1:].partition(b".")
    if suffix != b"gif" or int(name) % MISSING == MISSING - 1:
        return None
    return HEAD + TAIL % int(name)


def crawl(base: str, addresses: int, folder: Path) -> None:
    """Run the command and print a row of the table."""
    urls = folder / "urls.txt"
    with urls.open("w") as file:
        file.writelines(f"{base}/{number}.gif\n" for number in range(addresses))
    (folder / "luigi.cfg").write_text(SETTINGS.format(urls=urls))
    command = [sys.executable, "-m", "tasks", "run", "--until", "download", "--dataset", "bulk"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    began, peaks, ended = time.perf_counter(), Peaks(), threading.Event()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        watcher = threading.Thread(target=peaks.watch, args=(process.pid, folder / "data" / "bulk", ended))
        watcher.start()
        code = process.wait()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    if code:
        raise SystemExit((folder / "output").read_text()[-3000:])
    rows = sum(1 for _ in (folder / "data" / "bulk" / "download" / "latest" / "images.jsonl").open())
    print(
        f"{addresses:9,} addresses, {rows:9,} rows {seconds:7.1f} s {addresses / seconds:6.0f}/s  own process"
        f" {peaks.own:5.0f} MiB  worker {peaks.worker:5.0f} MiB  frontier {peaks.frontier:6.0f} MiB"
        f"  archive {peaks.archive:6.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Crawl each number of addresses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--addresses", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}")
    with serving(answer) as base:
        for addresses in given.addresses:
            with tempfile.TemporaryDirectory(dir=given.work) as folder:
                crawl(base, addresses, Path(folder))


if __name__ == "__main__":
    main()
