"""Measure how long the pages of the studio take with many datasets, runs and squares, and how much memory it holds.

    .venv/bin/python benchmarks/studio_pages.py --datasets 40 --runs 200 --squares 100000

Makes the datasets in a temporary folder, as the stages leave them: one has half of the squares and of the runs, and a
training for every fourth of its runs; the others share the rest. Then it starts the server and asks for each page once
after a start, and several times again; the plan of a dataset is another process and is not measured here. Takes a few
minutes, most of it to write the squares.
"""

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from pipeline.filter.scores import Score, write_scores
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.labels.log import LabelLog
from pipeline.report.trainings import Trainings
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.digest import of_value
from pipeline.store.jsonl import dump_row, write_rows
from pipeline.store.manifest import Manifest, list_files
from tasks.paths import STAGE_ROOTS

REPOSITORY = Path(__file__).parent.parent
PORT = 8797
REPEATS = 7
PATIENCE = 60.0  # seconds for the server to start
PICTURES = 64  # different squares; the others are hard links to them
SIDE, SHEET_SIDE, EPOCHS = 32, 64, 60
LABELS = 200
# Path, and what is asked of it in seconds; <big> is the largest dataset
PAGES = {
    "/": 1.0,
    "/d/<big>/": 1.0,
    "/d/<big>/label": 1.0,
    "/d/<big>/pictures?view=unlabelled&count=120": 1.0,
    "/d/<big>/filter": 1.0,
    "/d/<big>/gallery": 0.5,
    "/d/<big>/samples": 0.5,
    "/d/<big>/runs": 0.5,
    "/jobs": 0.5,
    "/definitions": 0.5,
}


@dataclass(frozen=True)
class Maker:
    """Writes one dataset below `folder`."""

    folder: Path
    name: str

    def publish(self, stage: str, work: Path, number: int = 0, **facts: Any) -> None:
        """Publish `work` as an artifact of `stage`."""
        store = self.store(stage)
        key = of_value([self.name, stage, number])
        made = Manifest(
            stage=stage,
            version=1,
            dataset=self.name,
            key=key,
            files=list_files(work),
            created=f"2026-01-02T{number % 24:02d}:00:00+00:00",
            seconds=60.0,
            **{"options": {}, "inputs": {}, "outputs": {}, **facts},
        )
        store.publish(work, made)

    def store(self, stage: str) -> ArtifactStore:
        """The artifacts of `stage`."""
        return ArtifactStore(self.folder / STAGE_ROOTS[stage] / self.name / stage)

    def work(self, stage: str, number: int = 0) -> Path:
        """The folder in which an artifact of `stage` is made."""
        return self.store(stage).work(of_value([self.name, stage, number]), resume=False)

    def squares(self, count: int) -> list[str]:
        """Write `count` squares with rows of the crawl and scores; returns their ids."""
        ids = [of_value([self.name, number]) for number in range(count)]
        (self.folder / "data" / self.name / "runs").mkdir(parents=True)
        self._crawl(ids)
        self._normalize(ids)
        self._filter(ids)
        return ids

    def _crawl(self, ids: list[str]) -> None:
        work = self.work("download")
        write_rows(work / "images.jsonl", (_crawl_row(id, number) for number, id in enumerate(ids)))
        summary = {"requested": len(ids) + 9, "saved": len(ids), "duplicate": 4, "rejected": 3, "failed": 2}
        self.publish("download", work, outputs={"images": "crawl"}, summary={**summary, "reasons": {}})

    def _normalize(self, ids: list[str]) -> None:
        work = self.work("normalize")
        originals = work / "images"
        originals.mkdir()
        random = np.random.default_rng(0)
        for number, id in enumerate(ids):
            path = originals / f"{id}.png"
            if number < PICTURES:
                write_png(path, random.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
            else:
                os.link(originals / f"{ids[number % PICTURES]}.png", path)
        write_rows(work / "images.jsonl", (_square_row(id) for id in ids))
        summary = {"images": len(ids), "kept": len(ids), "duplicate": 0, "rejected": 0, "reasons": {}}
        inputs = {"download.images": "crawl"}
        self.publish("normalize", work, inputs=inputs, outputs={"images": "squares"}, summary=summary)

    def _filter(self, ids: list[str]) -> None:
        work = self.work("filter")
        scores = [number % 997 / 997 for number in range(len(ids))]
        write_scores(
            (
                Score(id=id, score=score, label=None, outcome="kept" if score >= 0.5 else "rejected", spread=0.05)
                for id, score in zip(ids, scores, strict=True)
            ),
            work,
        )
        kept = sum(score >= 0.5 for score in scores)
        summary = {"images": len(ids), "kept": kept, "rejected": len(ids) - kept, "unsure": 0, "threshold": 0.5}
        inputs = {"normalize.images": "squares"}
        self.publish("filter", work, inputs=inputs, outputs={"kept": "kept"}, summary=summary)
        labels: dict[str, str | None] = {id: ("on", "off")[number % 2] for number, id in enumerate(ids[:LABELS])}
        LabelLog(self.folder / "data" / self.name / "labels.jsonl").append(labels, how="folder")

    def runs(self, count: int) -> None:
        """Write the records of `count` runs."""
        for number in range(count):
            name = f"202601{1 + number // 24:02d}-{number % 24:02d}0000-000000-{number}"
            folder = self.folder / "data" / self.name / "runs" / name
            folder.mkdir(parents=True)
            (folder / "record.jsonl").write_text("".join(map(dump_row, _events(number))))

    def trainings(self, count: int) -> None:
        """Write `count` trainings with a sheet for each epoch, and their samples."""
        register = Trainings(self.folder / "generated" / self.name)
        sheet = contact_sheet(np.random.default_rng(1).integers(0, 256, (64, SHEET_SIDE, SHEET_SIDE, 3), np.uint8), 8)
        for number in range(count):
            work = self.work("gan", number)
            began = f"2026-01-02T{number % 24:02d}:00:00+00:00"
            key = of_value([self.name, "gan", number])
            entry = register.begin(key=key, definition="dcgan", size=SHEET_SIDE, epochs=EPOCHS, began=began)
            sheets = register.sheets(entry)
            sheets.mkdir(parents=True, exist_ok=True)
            first = sheets / "epoch-0000.png"
            write_png(first, sheet)
            for epoch in range(1, EPOCHS + 1):
                os.link(first, sheets / f"epoch-{epoch:04d}.png")
            rows = [_stats_row(epoch) for epoch in range(1, EPOCHS + 1)]
            for folder in (sheets, work):
                write_rows(folder / "stats.jsonl", rows)
            summary = {"epochs": EPOCHS, "epoch": EPOCHS, "size": SHEET_SIDE, "kid": 0.1, "extractor": "textures-64"}
            options = {"definition": "dcgan", "epochs": EPOCHS, "seed": number}
            outputs = {"generator": f"generator {number}"}
            self.publish("gan", work, number, summary=summary, options=options, outputs=outputs)


def _crawl_row(id: str, number: int) -> dict[str, Any]:
    host = f"https://host{number % 50}.example"
    facts = {"title": f"picture number {number}", "query": "toad", "engine": "bing", "creator": "somebody"}
    where = {"url": f"{host}/pictures/{number}.jpg", "page": f"{host}/page/{number}", "license": "CC BY 4.0"}
    return (
        {"id": id, "outcome": "saved", "rank": number + 1, "type": "jpeg", "width": 640, "height": 480} | facts | where
    )


def _square_row(id: str) -> dict[str, Any]:
    row = {"id": id, "outcome": "kept", "reason": "", "of": None, "width": 640, "height": 480}
    return {**row, "file": f"images/{id}.png", "sha256": id}


def _stats_row(epoch: int) -> dict[str, Any]:
    losses = {"d_loss": 0.6, "g_loss": 0.9, "d_real": 0.6, "d_fake": 0.4, "d_accuracy": 0.7}
    scores = {"kid": 1 / epoch, "kid_error": 0.01, "precision": 0.5, "recall": 0.4, "extractor": "textures-64"}
    row = {"epoch": epoch, "step": 10 * epoch, "images_seen": 640 * epoch, "images_per_second": 500.0}
    return {**row, **losses, **scores, "seconds": 2.0 * epoch, "alarms": []}


def _events(number: int) -> list[dict[str, Any]]:
    """The record of a run that lasted an hour, with some hundred lines of progress."""
    time_of = f"2026-01-{1 + number // 24:02d}T{number % 24:02d}:00:00.000+00:00"
    progress = [
        {"event": "progress", "stage": "gan", "done": done, "total": 300, "note": "step"} for done in range(300)
    ]
    events = [
        {"event": "start", "pid": 1, "born": 1.0, "host": "elsewhere"},
        {"event": "options", "settings": "{}", "labels": "", "once": False},
        {"event": "plan", "until": "", "stages": ["gan"]},
        {"event": "stage_start", "stage": "gan", "key": of_value(number)},
        *progress,
        {
            "event": "stage",
            "stage": "gan",
            "outcome": "ran",
            "key": of_value(number),
            "made": "a GAN",
            "seconds": 3600.0,
        },
        {"event": "end", "outcome": "done", "seconds": 3600.0},
    ]
    return [{"time": time_of, **event} for event in events]


def make(folder: Path, *, datasets: int, runs: int, squares: int) -> str:
    """Write the datasets; returns the name of the largest."""
    others = max(1, datasets - 1)
    for number in range(datasets):
        big = number == 0
        maker = Maker(folder, "subject-00" if big else f"subject-{number:02d}")
        maker.squares(squares // 2 if big else squares // 2 // others)
        count = runs // 2 if big else runs // 2 // others
        maker.runs(count)
        maker.trainings(max(1, count // 4))
    return "subject-00"


def fetch(path: str) -> float:
    """Seconds until the whole response has come."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: status {response.status}")
    return time.perf_counter() - start


def start(folder: Path) -> psutil.Popen:
    """Start the server in `folder`, and wait until it responds."""
    words = [sys.executable, "-m", "tasks", "studio", "--no-browser", "--port", str(PORT)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = psutil.Popen(words, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    for _ in range(int(PATIENCE / 0.1)):
        try:
            fetch("/static/icon.svg")
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the server did not start")


def measure(folder: Path, big: str) -> None:
    """Print the time of each page, first after a start and then again, and the memory of the server."""
    process = start(folder)
    try:
        print(f"{'page':<48}{'first':>9}{'again, median':>16}{'at most':>10}{'memory':>10}")
        for page, most in PAGES.items():
            path = page.replace("<big>", big)
            first, again = fetch(path), statistics.median(fetch(path) for _ in range(REPEATS))
            memory = process.memory_info().rss / 1e6
            print(f"{page:<48}{first:7.3f} s{again:14.3f} s{most:8.1f} s{memory:7.0f} MB")
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Make the datasets and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("datasets", 40), ("runs", 200), ("squares", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}; {json.dumps(vars(given))}")
    with tempfile.TemporaryDirectory() as name:
        big = make(Path(name), datasets=given.datasets, runs=given.runs, squares=given.squares)
        measure(Path(name), big)


if __name__ == "__main__":
    main()
