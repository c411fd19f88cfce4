"""A small fake dataset on the disk, as the stages leave it: squares, crawl rows and scores; no stage has to run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.filter.scores import FEATURES, Score, write_scores
from pipeline.labels.log import LabelLog
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.digest import of_bytes, of_value
from pipeline.store.jsonl import dump_row, write_rows
from pipeline.store.manifest import Manifest, list_files
from pipeline.web.dataset_paths import DatasetPaths, Site

STAGES = {"download": "data", "normalize": "data", "classifier": "models", "filter": "data", "gan": "models"}
STAGES |= {"generate": "generated", "report": "generated"}
SIZE = 16


def picture_id(number: int) -> str:
    """The id of the fake square with that number."""
    return of_bytes(f"picture {number}".encode())


@dataclass(frozen=True)
class FakeDataset:
    """A working folder with one dataset."""

    folder: Path
    dataset: str = "cats"

    @property
    def data(self) -> Path:
        return self.folder / "data" / self.dataset

    @property
    def log(self) -> LabelLog:
        return LabelLog(self.data / "labels.jsonl")

    def store(self, stage: str) -> ArtifactStore:
        return ArtifactStore(self.folder / STAGES[stage] / self.dataset / stage)

    def paths(self, dataset: str = "") -> DatasetPaths:
        fake_dataset = FakeDataset(self.folder, dataset or self.dataset)
        stores = {stage: fake_dataset.store(stage) for stage in STAGES}
        generated = self.folder / "generated" / fake_dataset.dataset
        return DatasetPaths(dataset=fake_dataset.dataset, folder=fake_dataset.data, generated=generated, **stores)

    def site(self, *command: str) -> Site:
        data = self.folder / "data"
        models = self.folder / "models"
        words = command or ("false",)
        return Site(datasets=self.datasets, paths=self.paths, command=words, data=data, models=models)

    def datasets(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "data").iterdir() if (path / "runs").is_dir())

    def ids(self, count: int) -> list[str]:
        return [picture_id(number) for number in range(count)]

    def draw(self, count: int, *, titles: dict[int, str] | None = None, rows: dict[int, dict] | None = None) -> None:
        """Write the crawl and the squares of `count` pictures; half of them are green."""
        (self.data / "runs").mkdir(parents=True, exist_ok=True)
        found = [row(number, (titles or {}).get(number, ""), (rows or {}).get(number, {})) for number in range(count)]
        crawl = {"requested": count + 2, "saved": count, "duplicate": 1, "rejected": 0, "failed": 1}
        self.publish("download", found, {"images": of_value(count)}, self.crawl, summary=crawl)
        inputs, squares = {"download.images": of_value(count)}, {"images": count, "kept": count, "size": SIZE}
        self.publish("normalize", found, {"images": f"squares of {count}"}, self.square, inputs, squares)

    def crawl(self, rows: list[dict], work: Path) -> None:
        (work / "images").mkdir()
        for number, each in enumerate(rows):
            draw(number, 40).save(work / "images" / f"{each['id']}.png", compress_level=1)
        write_rows(work / "images.jsonl", rows)

    def square(self, rows: list[dict], work: Path) -> None:
        (work / "images").mkdir()
        made = []
        for number, each in enumerate(rows):
            path = work / "images" / f"{each['id']}.png"
            draw(number, SIZE).save(path, compress_level=1)
            made.append(
                {"id": each["id"], "outcome": "kept", "reason": "", "of": None, "width": 40, "height": 40}
                | {"file": f"images/{path.name}", "sha256": of_bytes(path.read_bytes())}
            )
        write_rows(work / "images.jsonl", made)

    def publish(
        self,
        stage: str,
        rows: Any,
        outputs: dict[str, str],
        fill: Any,
        inputs: dict[str, str] | None = None,
        summary: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> Artifact:
        store = self.store(stage)
        created = f"2026-01-01T00:00:{len(store.folders()):02d}"
        key = of_value([stage, outputs, inputs, summary, created])
        work = store.work(key, resume=False)
        fill(rows, work)
        manifest = Manifest(
            stage=stage,
            version=1,
            dataset=self.dataset,
            key=key,
            options=options or {},
            inputs=inputs or {},
            outputs=outputs,
            summary=summary or {},
            files=list_files(work),
            created=created,
        )
        return store.publish(work, manifest)

    def filter(
        self,
        scores: dict[str, float],
        *,
        threshold: float | None = 0.5,
        labels: dict[str, str] | None = None,
        suspects: tuple[str, ...] = (),
        features: np.ndarray | None = None,
        notice: str = "",
        spread: float | None = 0.05,
        model: str = "one",
        unsure: float = 0.0,
        **summary: Any,
    ) -> Artifact:
        """Publish a filter artifact with these scores."""
        given = labels or {}
        found = [
            Score(
                id=id,
                score=score,
                spread=spread,
                label=given.get(id),
                suspect=id in suspects,
                outcome=outcome(given.get(id), score, threshold, unsure),
            )
            for id, score in scores.items()
        ]

        def fill(found: list[Score], work: Path) -> None:
            write_scores(found, work)
            if features is not None:
                np.save(work / FEATURES, features)

        inputs = {"normalize.images": f"squares of {len(scores)}", "labels": of_value(given)}
        inputs["classifier.model"] = model
        edges = None if threshold is None else [threshold - unsure, threshold + unsure]
        summary = {"threshold": threshold, "band": edges, "notice": notice} | summary
        return self.publish("filter", found, {"kept": "some"}, fill, inputs, summary)

    def classifier(self, **summary: Any) -> Artifact:
        return self.publish("classifier", None, {"model": "one"}, lambda rows, work: None, summary=summary)

    def label(self, given: dict[str, str | None]) -> None:
        """Label like another command."""
        self.log.append(given, how="folder")

    def logged(self) -> list[dict[str, Any]]:
        path = self.data / "labels.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def damage(self) -> None:
        """Cut the log short, like a crash of the machine."""
        with (self.data / "labels.jsonl").open("a") as file:
            file.write(dump_row({"id": picture_id(0)})[:20])


def outcome(label: str | None, score: float, threshold: float | None, band: float = 0.0) -> str:
    if label:
        return "kept" if label == "on" else "rejected"
    if threshold is None or score >= threshold + band:
        return "kept"
    return "rejected" if score < threshold - band else "unsure"


def row(number: int, title: str, more: dict[str, Any]) -> dict[str, Any]:
    """A row of the crawl."""
    engine = "bing" if number % 3 else "openverse"
    return {
        "id": picture_id(number),
        "url": f"https://pictures.example/{number}.png",
        "page": f"https://host{number % 2}.example/page/{number}",
        "title": title or f"picture {number}",
        "query": "cat",
        "engine": engine,
        "rank": number + 1,
        "type": "png",
        "width": 40,
        "height": 40,
        "outcome": "saved",
    } | more


def draw(number: int, size: int) -> Image.Image:
    """A picture of one colour; even ones are green, odd ones red."""
    shade = 60 + number * 37 % 180
    return Image.new("RGB", (size, size), (20, shade, 60) if number % 2 == 0 else (shade, 30, 90))
