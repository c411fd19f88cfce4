"""Measure how fast a list of addresses becomes squares without duplicates, compared with img2dataset.

    .venv/bin/python benchmarks/bulk_crawl.py FOLDER... [--pictures 3000] [--side 1024] [--rounds 3] [--peer PYTHON]

A server on loopback, in its own process, answers each address after a delay with a JPEG from the folders; a comment
makes the bytes of each address differ. With `--side` the longer side of each photograph is brought to so many pixels.
Each round takes the time of `python -m tasks run --until normalize` on the list of addresses, from its start to its
end: download, manifest, squares of 64 px, duplicates found. With `--peer` it then takes that of img2dataset, as PYTHON
has it, after its imports: download, and squares of 64 px as PNG files. Both have two cores and as many connections: 128
by default, in img2dataset's case 2 processes of 64 threads. The table has the medians, and how many pictures each round
lost at most. Nothing is deleted before the end, as ext4 makes files more slowly where others were just deleted.

    python3.11 -m venv peer && peer/bin/pip install img2dataset 'pyarrow<21'
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.loopback_server import serving
from benchmarks.machine import machine

REPOSITORY = Path(__file__).parents[1]
CORES = 2
FILES = 500  # of the folders, at most
START_OF_IMAGE, COMMENT = b"\xff\xd8", b"\xff\xfe"
SETTINGS = """
[bulk.download]
sources = urls
urls = {urls}
limit = {count}
allow_private = true
connections = {connections}
[bulk.normalize]
size = 64
"""
PEER = """
import json, sys, time
from img2dataset import download
urls, out, count, processes, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
begun = time.perf_counter()
download(
    url_list=urls, input_format="txt", output_folder=out, output_format="files", image_size=64,
    resize_mode="center_crop", encode_format="png", encode_quality=1, processes_count=processes, thread_count=threads,
    number_sample_per_shard=-(-count // processes), retries=0, timeout=20,
)
print(json.dumps({"seconds": time.perf_counter() - begun}))
"""


def answer(path: bytes, photographs: list[bytes]) -> bytes | None:
    """The photograph of a path such as /17.jpg."""
    name, _, suffix = path[1:].partition(b".")
    if suffix != b"jpg":
        return None
    comment = b"%012d" % int(name)
    photograph = photographs[int(name) % len(photographs)]
    return START_OF_IMAGE + COMMENT + b"\0\x0e" + comment + photograph[2:]


def read_photographs(folders: list[Path], side: int = 0) -> list[bytes]:
    """The JPEG files below each folder, as many of each, with a longer side of `side` pixels; 0: as they are."""
    found = []
    for folder in folders:
        files = (path.read_bytes() for path in sorted(folder.rglob("*.jpg")))
        found += [*islice((data for data in files if data.startswith(START_OF_IMAGE)), FILES // len(folders))]
    if not found:
        raise SystemExit(f"no JPEG file (*.jpg) is below {', '.join(map(str, folders))}")
    return [resized(data, side) for data in found] if side else found


def resized(data: bytes, side: int) -> bytes:
    """The JPEG with a longer side of `side` pixels."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    scale = side / max(pixels.shape)
    larger = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", larger, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def ganmill(urls: Path, folder: Path, count: int, connections: int) -> tuple[float, int]:
    """Seconds of the command, and how many pictures became squares or duplicates."""
    (folder / "luigi.cfg").write_text(SETTINGS.format(urls=urls, count=count, connections=connections))
    command = [sys.executable, "-m", "tasks", "run", "--until", "normalize", "--dataset", "bulk"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as for any user
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    manifest = json.loads((folder / "data" / "bulk" / "normalize" / "latest" / "manifest.json").read_text())
    return seconds, manifest["summary"]["kept"] + manifest["summary"]["duplicate"]


def img2dataset(urls: Path, folder: Path, count: int, connections: int, *, python: str) -> tuple[float, int]:
    """Seconds of its download, and how many squares it has made."""
    sizes = [str(count), str(CORES), str(connections // CORES)]
    command = [python, "-c", PEER, str(urls), str(folder / "out"), *sizes]
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return seconds, sum(1 for _ in (folder / "out").rglob("*.png"))


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--side", type=int, default=0, help="pixels of the longer side; 0: as the files are")
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", metavar="PYTHON")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    print(f"{machine()}, Python {platform.python_version()}")
    photographs = read_photographs(given.folders, given.side)
    programs = {"ganmill": ganmill} | ({"img2dataset": partial(img2dataset, python=given.peer)} if given.peer else {})
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in programs}
    with serving(partial(answer, photographs=photographs), given.delay) as base, tempfile.TemporaryDirectory() as place:
        urls = Path(place, "urls.txt")
        urls.write_text("".join(f"{base}/{number}.jpg\n" for number in range(given.pictures)))
        for turn in range(given.rounds):
            for name, program in programs.items():
                folder = Path(place, f"{name}-{turn}")
                folder.mkdir()
                found[name].append(program(urls, folder, given.pictures, given.connections))
                print(f"{name:12} {found[name][-1][0]:6.2f} s", flush=True)
    print_table(found, given.pictures)


def print_table(found: dict[str, list[tuple[float, int]]], pictures: int) -> None:
    """Print the medians and their ratio."""
    rates = {name: pictures / statistics.median(seconds for seconds, _ in rounds) for name, rounds in found.items()}
    print(f"\n{pictures} pictures")
    for name, rate in rates.items():
        lost = pictures - min(count for _, count in found[name])
        print(f"{name:12} {pictures / rate:6.2f} s {rate:6.0f} pictures/s, lost {lost}")
    if len(rates) > 1:
        print(f"ganmill is {rates['ganmill'] / rates['img2dataset']:.2f} times as fast")


if __name__ == "__main__":
    main()
