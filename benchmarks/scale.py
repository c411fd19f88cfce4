"""Measure what a picture costs in each stage and command as a dataset grows, and how much memory that takes.

    .venv/bin/python benchmarks/scale.py --squares 1000 20000 200000 --out curve.jsonl [--draw docs/images/scale.png]

For each number it makes a folder of pictures, 96-px JPEGs drawn by the demo and varied, and runs the command line on
it as a user does, stage by stage, in a temporary folder (`--work` names another; 200,000 squares need 9 GB). It prints
seconds, milliseconds per picture, how these compare with the smallest set, and the peak memory of the command's own
process and of all its processes together; of plan and status the median of three. `--draw` draws the curve of every row
in `--out`. Nothing else should run meanwhile; 200,000 squares take half an hour on two cores.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from benchmarks.varied_pictures import SUBJECTS, make_pictures
from pipeline.images.chart import new_axes, save
from pipeline.images.dataset import read_images
from pipeline.images.duplicates import KINDS, VIEWS, Fingerprints, find_duplicates
from pipeline.images.hashing import phash_both_ways
from pipeline.images.prepare import THUMBNAIL_SIDE
from pipeline.images.raster import resize
from pipeline.labels.log import LabelLog
from pipeline.options import NormalizeOptions
from pipeline.store.artifacts import load
from pipeline.store.jsonl import read_rows
from pipeline.web.pages.label_page import BATCH

REPOSITORY = Path(__file__).parent.parent
NAME = "scale"  # of the dataset
PORT = 8798
LABELS = 60  # of each kind
POLL = 0.05  # seconds between two looks at the memory
PATIENCE = 120.0  # seconds for the studio to start
REPEATS = 3
LABEL_ROOM = 1.9  # between two labels of the chart, whose axis is logarithmic
TRAINING_SECONDS = 20  # of steps, in which memory may grow
FEW_STEPS, SAMPLES = 50, 64  # of the training and the samples that generate, report and exports are timed with
SETTINGS = f"""
[{NAME}.download]
sources = folder
limit = 10000000
[{NAME}.normalize]
near_duplicates = 4
[{NAME}.classifier]
backbone = none
members = 2
steps = 60
[{NAME}.gan]
most_steps = 1000000
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one command cost with `squares` pictures; memory in MiB, of its own process and of all its processes."""

    squares: int
    what: str
    seconds: float
    own: float = 0.0
    all: float = 0.0


class Memory:
    """The peak memory of a process and of it with its children, in MiB, looked at every `POLL` seconds."""

    def __init__(self, pid: int) -> None:
        self.own = self.all = 0.0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(POLL):
            with suppress(psutil.Error):
                own = self._process.memory_info().rss
                others = 0
                for child in self._process.children(recursive=True):
                    with suppress(psutil.Error):
                        others += child.memory_info().rss
                self.own, self.all = max(self.own, own / 2**20), max(self.all, (own + others) / 2**20)


@dataclass(frozen=True)
class Bench:
    """Runs commands on a dataset of `squares` pictures below `folder`."""

    folder: Path
    squares: int

    def measure(self) -> Iterator[Cost]:
        """Every stage and command in the order of a user's evening."""
        pictures = f"--download-folder={self.folder / 'pictures'}"
        yield self._command("download", "run", pictures, "--until", "download")
        yield self._command("normalize", "run", "--until", "normalize")
        yield self._duplicates()
        self._label()
        yield self._command("classifier", "run", "--until", "classifier")
        yield self._command("filter", "run", "--until", "filter")
        yield self._manifests()
        yield self._start_of_training()
        for what in ("plan", "status"):
            yield sorted((self._command(what, what) for _ in range(REPEATS)), key=lambda cost: cost.seconds)[
                REPEATS // 2
            ]
        yield from self._studio()
        yield from self._after_a_training()

    def _command(self, what: str, *words: str) -> Cost:
        process = self._start(*words, "--dataset", NAME)
        memory, began = Memory(process.pid), time.perf_counter()
        output = process.communicate()[0]
        seconds = time.perf_counter() - began
        memory.end()
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{output[-2000:]}")
        return Cost(squares=self.squares, what=what, seconds=seconds, own=memory.own, all=memory.all)

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tasks", *words],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _duplicates(self) -> Cost:
        """The search for near-duplicates, among squares that have hardly any; `duplicates.py` has other sets."""
        ids, images = read_images(self.folder / "data" / NAME / "normalize" / "latest")
        both = np.array([phash_both_ways(image) for image in images], np.uint64)
        hashes = {view + kind: both[:, place] for view in VIEWS for place, kind in enumerate(KINDS)}
        same = np.ones(len(ids), np.int64)

        def thumbnail(index: int, view: str) -> np.ndarray:
            return resize(images[index], THUMBNAIL_SIDE, THUMBNAIL_SIDE)

        prints = Fingerprints(ids=ids, sha256=ids, pixels=same, bytes=same, hashes=hashes, thumbnail=thumbnail)
        began = time.perf_counter()
        find_duplicates(prints, NormalizeOptions().near_duplicates)
        return Cost(squares=self.squares, what="duplicates", seconds=time.perf_counter() - began)

    def _manifests(self) -> Cost:
        """A look at the artifacts of pictures and squares, as each plan takes it."""
        began = time.perf_counter()
        for stage in ("download", "normalize"):
            load((self.folder / "data" / NAME / stage / "latest").resolve())
        return Cost(squares=self.squares, what="manifests", seconds=time.perf_counter() - began)

    def _label(self) -> None:
        """Label the first squares by what was drawn."""
        rows = read_rows(self.folder / "data" / NAME / "download" / "latest" / "images.jsonl")
        truth = {row["id"]: "on" if Path(row["title"]).name.startswith(SUBJECTS[0]) else "off" for row in rows}
        squares = read_rows(self.folder / "data" / NAME / "normalize" / "latest" / "images.jsonl")
        kept = [row["id"] for row in squares if row["outcome"] == "kept"]
        chosen = [id for kind in ("on", "off") for id in [id for id in kept if truth[id] == kind][:LABELS]]
        LabelLog(self.folder / "data" / NAME / "labels.jsonl").append({id: truth[id] for id in chosen}, how="folder")

    def _start_of_training(self) -> Cost:
        """Until the first steps are taken, as the record of the run says; then the training is stopped."""
        process = self._start("run", "--until", "gan", "--dataset", NAME)
        memory, began = Memory(process.pid), time.perf_counter()
        while not self._has_begun() and process.poll() is None:
            time.sleep(POLL)
        seconds = time.perf_counter() - began
        time.sleep(TRAINING_SECONDS)
        process.send_signal(signal.SIGINT)
        output = process.communicate()[0]
        memory.end()
        if not self._has_begun():
            raise SystemExit(f"the training ended with {process.returncode}:\n{output[-2000:]}")
        return Cost(squares=self.squares, what="start of training", seconds=seconds, own=memory.own, all=memory.all)

    def _after_a_training(self) -> Iterator[Cost]:
        """What needs a generator, of a training of few steps: samples and their nearest reals, the report, exports."""
        few = (f"--gan-most-steps={FEW_STEPS}", f"--generate-count={SAMPLES}", "--generate-film=0")
        self._command("training", "run", "--until", "gan", *few)
        yield self._command("generate", "run", "--until", "generate", *few)
        yield self._command("report", "run", *few)
        yield self._command("export", "export", "squares", "exported")
        yield self._command("export of shards", "export", "squares", "shards", "--as", "webdataset")

    def _has_begun(self) -> bool:
        """Whether the newest run says that the training has taken steps."""
        record = max((self.folder / "data" / NAME / "runs").iterdir()) / "record.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        progress = [line for line in lines if '"progress"' in line and '"gan"' in line]
        return any(json.loads(line)["note"].startswith("steps") for line in progress)

    def _studio(self) -> Iterator[Cost]:
        process = self._start("studio", "--no-browser", "--port", str(PORT))
        try:
            self._wait_for_studio()
            memory = Memory(process.pid)
            dataset = f"/d/{NAME}"
            pages = {"home page, first": "/", "home page": "/", "label page, first": f"{dataset}/label"}
            pages |= dict.fromkeys(("next batch, first", "next batch"), f"{dataset}/pictures?view=next&count={BATCH}")
            for what, path in pages.items():
                times = [self._fetch(path) for _ in range(1 if "first" in what else REPEATS)]
                yield Cost(
                    squares=self.squares, what=what, seconds=float(np.median(times)), own=memory.own, all=memory.all
                )
            memory.end()
        finally:
            process.terminate()
            process.communicate()

    def _wait_for_studio(self) -> None:
        for _ in range(int(PATIENCE / 0.1)):
            with suppress(OSError):
                self._fetch("/static/icon.svg")
                return
            time.sleep(0.1)
        raise SystemExit("the studio did not start")

    def _fetch(self, path: str) -> float:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: status {response.status}")
        return time.perf_counter() - began


def draw_curves(rows: Path, picture: Path) -> None:
    """Draw what a picture costs in each stage and command against the number of pictures, of the newest rows."""
    costs: dict[str, dict[int, float]] = {}
    for row in read_rows(rows):
        costs.setdefault(row["what"], {})[row["squares"]] = 1000 * row["seconds"] / row["squares"]
    axes = new_axes("cost of a picture as a dataset grows", "pictures")
    place = float("inf")  # of the last label, from above: each leaves room for the next
    for what, points in sorted(costs.items(), key=lambda each: -each[1][max(each[1])]):
        (line,) = axes.plot(sorted(points), [points[squares] for squares in sorted(points)], "o-")
        last = max(points)
        place = min(points[last], place / LABEL_ROOM)
        axes.annotate(what, (last * 1.2, place), fontsize=8, va="center", color=line.get_color())
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(right=max(axes.get_xlim()[1], 1) * 12)
    axes.set_ylabel("milliseconds")
    save(axes, picture)


@contextmanager
def work_folder(given: Path | None) -> Iterator[Path]:
    """The folder to work in, emptied at the end."""
    with tempfile.TemporaryDirectory(dir=given) as name:
        yield Path(name)


def main() -> None:
    """Measure each number of squares, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squares", type=int, nargs="*", default=[1000, 20_000, 200_000])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path, default=Path("scale.jsonl"))
    parser.add_argument("--draw", type=Path, metavar="FILE", help="a PNG file for the curves of what is in --out")
    given = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}")
    smallest: dict[str, float] = {}
    for count in given.squares:
        with work_folder(given.work) as folder, given.out.open("a") as out:
            (folder / "luigi.cfg").write_text(SETTINGS)
            make_pictures(folder / "pictures", count)
            os.sync()
            print(f"\n{count:,} pictures\n{'':<20}{'seconds':>9}{'ms each':>9}{'ratio':>7}{'own MiB':>9}{'all MiB':>9}")
            for cost in Bench(folder, count).measure():
                out.write(json.dumps(asdict(cost)) + "\n")
                each = 1000 * cost.seconds / count
                ratio = each / smallest.setdefault(cost.what, each)
                figures = f"{cost.seconds:9.2f}{each:9.3f}{ratio:7.2f}{cost.own:9.0f}{cost.all:9.0f}"
                print(f"{cost.what:<20}{figures}", flush=True)
            shutil.rmtree(folder / "pictures")
    if given.draw:
        draw_curves(given.out, given.draw)


if __name__ == "__main__":
    main()
