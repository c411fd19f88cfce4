"""img2dataset fetches the lists that are written here, and what it writes is read here.

Needs the Python of an environment with img2dataset: `python3.11 -m venv v && v/bin/pip install img2dataset
'pyarrow<21'`, then `make test-long ARGS="..."` with IMG2DATASET_PYTHON=v/bin/python.
"""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.crawl.download import download
from pipeline.options import DownloadOptions
from pipeline.progress import silent
from pipeline.report.export_files import ExportFile
from pipeline.report.export_folder import METADATA, ExportKind, write_export
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import read_rows

PYTHON = os.environ.get("IMG2DATASET_PYTHON", "")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not PYTHON, reason="needs IMG2DATASET_PYTHON, the Python of an environment with img2dataset"),
]
COUNT = 40
# A file, as its processes load it again
SCRIPT = """
import json, sys, img2dataset
if __name__ == "__main__":
    img2dataset.download(**json.loads(sys.argv[1]))
"""


@pytest.fixture
def pictures(site, responders) -> list[dict[str, str]]:
    """The metadata of pictures on the site, of which one is missing and one is a text."""
    paths = site.pictures(COUNT)
    del site.routes[paths[3]]
    site.routes[paths[5]] = responders.body("no picture", "text/plain")
    return [
        {
            "url": site.url + path,
            "title": f'a "cat", ピカ {number}',
            "license": "CC0",
            "author": f"painter {number % 3}",
        }
        for number, path in enumerate(paths)
    ]


def fetch(folder: Path, **options) -> Path:
    """Run img2dataset."""
    shared = {"image_size": 64, "encode_format": "png", "encode_quality": 1, "processes_count": 1, "thread_count": 4}
    shared |= {"number_sample_per_shard": 15, "retries": 0, "timeout": 5, "url_col": "url", "caption_col": "title"}
    given = {**shared, "output_folder": str(folder), **options}
    script = folder.with_suffix(".py")
    script.write_text(SCRIPT)
    done = subprocess.run(
        [PYTHON, script, json.dumps(given)], capture_output=True, text=True, timeout=300, cwd=folder.parent
    )
    assert done.returncode == 0, done.stderr
    return folder


def read(tmp_path: Path, folder: Path) -> list[dict]:
    options = DownloadOptions(sources=("webdataset",), webdataset=str(folder))
    result = download(options, dataset=tmp_path / "dataset", folder=tmp_path / "read")
    assert result.summary["notices"] == [
        f"asked for {COUNT} pictures of at most 1000: the sources had no more",
    ]
    return list(read_rows(tmp_path / "read" / "images.jsonl"))


@pytest.mark.parametrize("output_format", ["webdataset", "files"])
def test_every_picture_that_img2dataset_was_asked_for_has_its_row(tmp_path, pictures, output_format):
    pytest.importorskip("pyarrow", reason="needs requirements-parquet.txt")
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, pictures[0])
        writer.writeheader()
        writer.writerows(pictures)
    columns = {"save_additional_columns": ["license", "author"]}
    asked = {"url_list": str(tmp_path / "list.csv"), "input_format": "csv", "output_format": output_format, **columns}
    rows = {row["url"]: row for row in read(tmp_path, fetch(tmp_path / "out", **asked))}
    assert rows.keys() == {picture["url"] for picture in pictures}
    for number, picture in enumerate(pictures):
        row = rows[picture["url"]]
        assert (row["title"], row["license"], row["creator"]) == (picture["title"], "CC0", picture["author"])
        reason = {3: "img2dataset: HTTP Error 404: Not Found", 5: "img2dataset: Image decoding error"}.get(number, "")
        assert (row["outcome"], row["reason"]) == ("failed" if reason else "saved", reason)
        assert (row["width"], row["height"]) == ((None, None) if reason else (64, 64))


def test_img2dataset_reads_the_metadata_of_an_export(tmp_path, pictures, responders):
    pytest.importorskip("pyarrow", reason="needs requirements-parquet.txt")
    files = []
    for number, picture in enumerate(pictures):
        (tmp_path / f"{number}.png").write_bytes(responders.png(number))
        facts = {"folder": tmp_path, "path": f"{number}.png", "sha256": of_bytes(responders.png(number))}
        files.append(ExportFile(name=f"{number:04d}-x.png", metadata=picture, **facts))
    export = ExportKind(kind="kept", dataset="cats")
    write_export(tmp_path / "export", files, earlier=None, export=export, artifacts={}, progress=silent)
    listed = tmp_path / "export" / METADATA
    asked = {"url_list": str(listed), "input_format": "jsonl", "output_format": "webdataset"}
    rows = read(tmp_path, fetch(tmp_path / "out", **asked))
    assert {row["url"]: row["title"] for row in rows} == {each["url"]: each["title"] for each in pictures}
    assert sorted(row["outcome"] for row in rows) == ["failed"] * 2 + ["saved"] * (COUNT - 2)
