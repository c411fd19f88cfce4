"""Measure the speed of the crawl, compared with icrawler: 1,000 pictures from a server that delays each by 50 ms.

    .venv/bin/python benchmarks/crawl_speed.py [--pictures 1000] [--connections 16 64] [--rounds 3]

A server on loopback, in its own process, responds to each request after 50 ms with one of that many different pictures
of about 20 KB. Both crawlers get the same list of URLs and write to a new folder; ganmill also hashes each picture,
archives each URL and writes the manifest. Each round runs all of them in turn; the table has the medians, how many were
saved, and the bound: pictures x 50 ms / connections. `cpu` is the processor time of the crawl's process, `server` that
of the server's process: where their sum is close to the wall time, the processor limits the crawl.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine

REPOSITORY = Path(__file__).parents[1]
SECONDS = 0.05  # that the server takes for each picture
SIZE = 20_000  # bytes of a picture, about


def picture(number: int) -> bytes:
    """A GIF of one pixel, with comments as long as a small photograph; a different one for each number."""
    noise = random.Random(number).randbytes(SIZE)
    blocks = b"".join(bytes([len(part)]) + part for part in (noise[i : i + 255] for i in range(0, SIZE, 255)))
    head = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"!\xfe" + blocks + b"\0," + b"\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pictures: list[bytes]) -> None:
    """Serve one connection with keep-alive until the client closes it."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1]
            found = path.endswith(b".gif")
            if found:
                await asyncio.sleep(SECONDS)
            body = pictures[int(path[1:-4])] if found else b"not here"
            status = b"200 OK" if found else b"404 Not Found"
            writer.write(b"HTTP/1.1 %s\r\nContent-Type: image/gif\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
            writer.write(body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def serve(count: int, port: multiprocessing.Queue) -> None:
    """Serve `count` pictures forever; the port is put into the queue."""

    async def main() -> None:
        pictures = [picture(number) for number in range(count)]
        server = await asyncio.start_server(
            lambda *pair: handle_connection(*pair, pictures), "127.0.0.1", 0, backlog=512
        )
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def ganmill(urls: list[str], folder: Path, connections: int) -> int:
    """Crawl with this project; returns how many pictures were saved."""
    from pipeline.crawl.download import download
    from pipeline.options import DownloadOptions

    (folder / "urls.txt").write_text("\n".join(urls))
    options = DownloadOptions(
        sources=("urls",), urls=str(folder / "urls.txt"), limit=len(urls), connections=connections, allow_private=True
    )
    return download(options, dataset=folder / "dataset", folder=folder / "out").summary["saved"]


def icrawler(urls: list[str], folder: Path, connections: int) -> int:
    """Crawl with icrawler in its default configuration; returns how many pictures were saved."""
    from icrawler.builtin import UrlListCrawler

    (folder / "urls.txt").write_text("\n".join(urls))
    crawler = UrlListCrawler(downloader_threads=connections, storage={"root_dir": str(folder / "out")}, log_level=50)
    crawler.crawl(str(folder / "urls.txt"), max_num=len(urls))
    return len(list((folder / "out").iterdir()))


CRAWLERS = {"ganmill": ganmill, "icrawler": icrawler}


def crawl_once(name: str, base: str, count: int, connections: int) -> None:
    """One crawl in this process; prints its measurements as JSON."""
    urls = [f"{base}/{number}.gif" for number in range(count)]
    CRAWLERS[name](urls[:1], Path(tempfile.mkdtemp(dir=os.environ["BENCH"])), 1)  # imports and first looks aside
    folder = Path(tempfile.mkdtemp(dir=os.environ["BENCH"]))
    cpu, began = time.process_time(), time.perf_counter()
    saved = CRAWLERS[name](urls, folder, connections)
    figures = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "saved": saved}
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def measure(name: str, base: str, count: int, connections: int, server: int) -> dict[str, float]:
    """One crawl in its own process."""
    command = [sys.executable, __file__, "--one", name, "--base", base, "--pictures", str(count)]
    before = cpu_seconds(server)
    done = subprocess.run(
        [*command, "--connections", str(connections)],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "server": cpu_seconds(server) - before}


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 if the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=CRAWLERS, help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        crawl_once(arguments.one, arguments.base, arguments.pictures, arguments.connections[0])
        return
    print(f"{machine()}, Python {platform.python_version()}")
    port: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(arguments.pictures, port), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{port.get()}"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH"] = folder
        for connections in arguments.connections:
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in CRAWLERS}
            for _ in range(arguments.rounds):
                for name, found in runs.items():
                    found.append(measure(name, base, arguments.pictures, connections, server.pid))
            print_table(runs, arguments.pictures, connections)
    server.terminate()


def print_table(runs: dict[str, list[dict[str, float]]], pictures: int, connections: int) -> None:
    """Print one table: the median of each measurement, and the seconds as a multiple of the bound."""
    bound = pictures * SECONDS / connections
    print(f"\n{pictures} pictures, {connections} connections: bound {bound:.2f} s")
    for name, found in runs.items():
        median = {figure: statistics.median(run[figure] for run in found) for figure in found[0]}
        least = min(run["saved"] for run in found)
        print(
            f"{name:9s} {median['seconds']:6.2f} s  {median['seconds'] / bound:5.2f} x bound  saved {least:.0f}"
            f"  cpu {median['cpu']:.2f} s  server {median['server']:.2f} s  peak {median['peak_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
