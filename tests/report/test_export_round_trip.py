"""What an export has written, the sources read again: the same pictures with their addresses, titles, licences,
creators and classes. They do not read the other metadata.
"""

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline.crawl.download import download
from pipeline.options import DownloadOptions
from pipeline.progress import silent
from pipeline.report import export_layouts
from pipeline.report.export_files import ExportFile, export_samples, export_squares
from pipeline.report.export_folder import ExportKind, write_export
from pipeline.report.export_layouts import as_image_folder, shards_of
from pipeline.report.export_shards import write_shards
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import read_rows, write_rows
from pipeline.store.manifest import Manifest

ROWS = [
    {
        "url": "https://a.org/1.jpg",
        "page": "https://a.org/",
        "title": 'a "cat", ピカ',
        "license": "CC0",
        "creator": "me",
    },
    {"url": "demo:/v1/3.png", "page": "demo:/v1/index.html", "title": "", "license": "", "creator": "", "class": "7"},
    {"url": "https://a.org/3.jpg", "page": "", "title": "x\ny", "license": "CC BY", "creator": None},
]
KEPT = ("url", "title", "license", "creator", "class")


def picture(number: int) -> bytes:
    blob = io.BytesIO()
    Image.new("RGB", (16, 16), (50 * number, 7, 9)).save(blob, "PNG")
    return blob.getvalue()


@pytest.fixture
def squares(tmp_path) -> list[ExportFile]:
    """The squares of pictures with the metadata `ROWS`."""
    origin, folder = tmp_path / "download", tmp_path / "normalize"
    origin.mkdir()
    folder.mkdir()
    found = []
    for number in range(len(ROWS)):
        (folder / f"{number}.png").write_bytes(picture(number))
        facts = {"id": f"{number:064x}", "width": 9, "height": 8, "file": f"{number}.png"}
        found.append({**facts, "outcome": "kept", "sha256": of_bytes(picture(number))})
    write_rows(origin / "images.jsonl", ({**row, "id": f"{n:064x}", "outcome": "saved"} for n, row in enumerate(ROWS)))
    write_rows(folder / "images.jsonl", found)
    return export_squares(folder, download=origin, kept=None, labels={}, only_kept=False)


@pytest.fixture
def samples(tmp_path) -> list[ExportFile]:
    (tmp_path / "generate" / "images").mkdir(parents=True)
    files = {}
    for number in range(3):
        (tmp_path / "generate" / "images" / f"{number:05d}.png").write_bytes(picture(number))
        files[f"images/{number:05d}.png"] = [1, of_bytes(picture(number))]
    facts = {"version": 1, "dataset": "cats", "key": "a" * 64, "options": {"seed": 3, "truncation": 0.0}}
    manifest = Manifest(stage="generate", inputs={"gan.generator": "b" * 64}, files=files, created="2026", **facts)
    return export_samples(Artifact(tmp_path / "generate", manifest), None)


def export(folder: Path, files: list[ExportFile], layout: str) -> Path:
    shared = {"earlier": None, "export": ExportKind(kind="kept", dataset="cats", layout=layout)}
    shared |= {"artifacts": {}, "progress": silent}
    if layout == "webdataset":
        write_shards(folder, shards_of(files, layout), **shared)
    else:
        write_export(folder, as_image_folder(files) if layout else files, **shared)
    return folder


def read(tmp_path: Path, source: str, folder: Path) -> list[dict]:
    options = DownloadOptions(sources=(source,), **{source: str(folder)})
    result = download(options, dataset=tmp_path / "dataset", folder=tmp_path / "read")
    assert result.summary["notices"] == ["asked for 3 pictures of at most 1000: the sources had no more"]
    return list(read_rows(tmp_path / "read" / "images.jsonl"))


# The plain layout is one that the source imagefolder reads, too
LAYOUTS = [("imagefolder", "imagefolder"), ("", "imagefolder"), ("webdataset", "webdataset")]


@pytest.mark.parametrize(("layout", "source"), LAYOUTS)
def test_squares_come_back_with_what_is_known_of_them(tmp_path, squares, monkeypatch, layout, source):
    monkeypatch.setattr(export_layouts, "SHARD_PICTURES", 2)
    found = read(tmp_path, source, export(tmp_path / "out", squares, layout))
    assert [row["id"] for row in found] == [square.sha256 for square in squares]
    for row, before in zip(found, ROWS, strict=True):
        known = {name: " ".join(before[name].split()) if before.get(name) else "" for name in KEPT}
        assert {name: row.get(name, "") for name in KEPT} == known
        assert row["page"] == (before["page"] or row["page"])


@pytest.mark.parametrize(("layout", "source"), LAYOUTS)
def test_samples_come_back(tmp_path, samples, layout, source):
    found = read(tmp_path, source, export(tmp_path / "out", samples, layout))
    assert [(row["id"], row["outcome"]) for row in found] == [(sample.sha256, "saved") for sample in samples]
    assert all(row["url"].startswith("file:///") for row in found)
