"""Fake trainings, samples and runs of a `FakeDataset`, as the stages leave them; no network is trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.png import encode_png
from pipeline.report.trainings import Trainings
from pipeline.run_record import NAME
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import of_value
from pipeline.store.jsonl import dump_row, write_rows
from pipeline.store.manifest import Manifest, list_files
from tests.web.fake_dataset import FakeDataset

SIZE, GRID = 16, 8
SAMPLES = 12


def training(
    fake: FakeDataset,
    name: str = "one",
    *,
    epochs: int = 3,
    definition: str = "dcgan",
    finished: bool = True,
    extractor: str = "textures-64",
    kid: float = 0.1,
    seed: int = 0,
    alarms: tuple[str, ...] = (),
    run: str = "",
    kept: str = "some",
    **values: Any,
) -> str:
    """A training with a sheet for each epoch; returns its content key. `name` tells it from others, `values` are in
    each row of its statistics."""
    key = of_value(["gan", name])
    trainings = Trainings(fake.folder / "generated" / fake.dataset)
    number = len(trainings.all())
    entry = trainings.begin(
        key=key, definition=definition, size=SIZE, epochs=epochs, began=f"2026-01-02T00:{number:02d}:00+00:00"
    )
    sheets = trainings.sheets(entry)
    rows = [
        stats_row(epoch, extractor, kid + (epochs - epoch) * 0.1, alarms) | values for epoch in range(1, epochs + 1)
    ]
    _write_sheets(sheets, epochs, number)
    write_rows(sheets / "stats.jsonl", rows)
    if finished:
        options = {"definition": definition, "epochs": epochs, "seed": seed}
        _publish_gan(fake, key, options, rows, shade=number, kept=kept, run=run)
    return key


def samples(
    fake: FakeDataset,
    key: str,
    *,
    count: int = SAMPLES,
    seed: int = 0,
    kid: float = 0.1,
    extractor: str = "textures-64",
    class_name: str = "",
) -> Artifact:
    """The samples of the training `key`, with their nearest reals; of a class, if it is given."""
    store = fake.store("generate")
    of_class = {"class_name": class_name} if class_name else {}
    name = of_value(["generate", key, seed, *of_class.values()])
    work = store.work(name, resume=False)
    (work / "images").mkdir()
    for number in range(count):
        write_png(work / "images" / f"{number:05d}.png", picture(number, 3))
    write_png(work / "grid.png", contact_sheet(np.stack([picture(number, 3) for number in range(9)]), 3))
    write_rows(
        work / "neighbours.jsonl",
        [
            {"sample": number, "nearest": [{"id": id, "distance": 0.1 * (rank + 1)} for rank, id in enumerate(near)]}
            for number in range(count)
            for near in [fake.ids(30)[number : number + 5]]
        ],
    )
    scores = {"kid": kid, "kid_error": 0.01, "kid_floor": 0.001, "precision": 0.6, "recall": 0.4, "density": 0.8}
    summary = {"seed": seed, "count": count, "truncation": 0.0, **scores, "coverage": 0.7, "extractor": extractor}
    (work / "samples.json").write_text(json.dumps(summary))
    inputs = {"gan.generator": f"generator of {key}", "filter.kept": "some"}
    options = {"seed": seed, "count": count, "truncation": 0.0, **of_class}
    return _publish(fake, "generate", name, work, inputs, {"samples": "some"}, summary, options)


def run(fake: FakeDataset, name: str, *events: dict[str, Any]) -> Path:
    """The record of a run called `name` (20260102-000000-1 is one) with these events after its start."""
    folder = fake.data / "runs" / name
    folder.mkdir(parents=True)
    rows = [{"event": "start", "pid": 1, "born": 1.0, "host": "elsewhere"}, *events]
    time = f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:{name[13:15]}.000+00:00"
    (folder / NAME).write_text("".join(dump_row({"time": time, **row}) for row in rows))
    return folder


def stats_row(epoch: int, extractor: str, kid: float, alarms: tuple[str, ...]) -> dict[str, Any]:
    """A row of the statistics, with the fields that every row has and the scores of an epoch with a sheet."""
    return {
        "epoch": epoch,
        "step": epoch * 10,
        "images_seen": epoch * 640,
        "d_loss": 0.7 - 0.01 * epoch,
        "g_loss": 0.8 + 0.01 * epoch,
        "d_real": 0.6,
        "d_fake": 0.4,
        "d_accuracy": 0.7,
        "images_per_second": 500.0,
        "seconds": 2.0 * epoch,
        "kid": kid,
        "kid_error": 0.01,
        "precision": 0.5,
        "recall": 0.4,
        "density": 0.6,
        "coverage": 0.5,
        "extractor": extractor,
        "alarms": list(alarms),
    }


def picture(number: int, shade: int) -> np.ndarray:
    """A picture (S, S, 3) uint8 of one colour that follows from `number` and `shade`."""
    colour = (40 * shade % 256, 60 + 37 * number % 190, 25 * (number + shade) % 256)
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def _write_sheets(folder: Path, epochs: int, shade: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in range(epochs + 1):
        (folder / f"epoch-{epoch:04d}.png").write_bytes(sheet(epoch + shade))
    (folder / "reals.png").write_bytes(sheet(9))


def sheet(shade: int) -> bytes:
    """A sample sheet as a PNG file; each cell has a colour of its own, which follows from `shade` too."""
    return encode_png(contact_sheet(np.stack([picture(cell, shade) for cell in range(GRID**2)]), GRID))


def _publish_gan(
    fake: FakeDataset, key: str, options: dict[str, Any], rows: list[dict], *, shade: int, kept: str, run: str
) -> None:
    epochs, definition = options["epochs"], options["definition"]
    work = fake.store("gan").work(key, resume=False)
    _write_sheets(work / "samples", epochs, shade)
    write_rows(work / "stats.jsonl", rows)
    latent = 64 if definition == "small" else 100
    (work / "definition.json").write_text(json.dumps({"latent": latent, "description": definition}))
    (work / "generator.keras").write_bytes(b"weights")
    last = {name: rows[-1][name] for name in ("kid", "kid_error", "extractor")}
    drawn = f"epoch {epochs}, the last, at which the KID by {last['extractor']} was lowest"
    summary = {"epochs": epochs, "epoch": epochs, "size": SIZE, "images": 30, "drawn_from": drawn, **last}
    inputs = {"filter.kept": kept, "definition": of_value(definition)}
    _publish(fake, "gan", key, work, inputs, {"generator": f"generator of {key}"}, summary, options, run)


def _publish(
    fake: FakeDataset,
    stage: str,
    key: str,
    work: Path,
    inputs: dict[str, str],
    outputs: dict[str, str],
    summary: dict[str, Any],
    options: dict[str, Any],
    run: str = "",
) -> Artifact:
    store = fake.store(stage)
    made = Manifest(
        run=run,
        stage=stage,
        version=1,
        dataset=fake.dataset,
        key=key,
        options=options,
        inputs=inputs,
        outputs=outputs,
        summary=summary,
        files=list_files(work),
        created=f"2026-01-02T01:{len(store.folders()):02d}:00+00:00",
        seconds=60.0,
    )
    return store.publish(work, made)
