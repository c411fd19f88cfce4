"""The source `imagefolder`: classes by folder, metadata beside pictures, and metadata that cannot be trusted."""

import json
import os
from pathlib import Path

import pytest

from pipeline.crawl.download import download
from pipeline.options import DownloadOptions
from pipeline.store import jsonl


@pytest.fixture
def root(tmp_path):
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


@pytest.fixture
def put(root, responders):
    """`put("a/b.png", 1)`: write a small picture, different for each number."""

    def put(name: str, number: int) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(responders.png(number))

    return put


@pytest.fixture
def rows(tmp_path, root):
    """Download the folder; the rows and the notices."""

    def read(**options):
        wanted = DownloadOptions(sources=("imagefolder",), imagefolder=str(root), **options)
        result = download(wanted, dataset=tmp_path / "dataset", folder=tmp_path / "folder")
        return list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl")), result.summary["notices"]

    return read


def write_metadata(path: Path, *rows: dict) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_pictures_have_the_class_of_their_folder(root, put, rows):
    for number, name in enumerate(["train/cat/1.png", "train/dog/1.PNG", "test/cat/2.jpg", "train/cat/b/3.png"]):
        put(name, number)
    (root / "README.md").write_text("# no picture")
    found, _ = rows()
    assert [(row["title"], row.get("class"), row["outcome"]) for row in found] == [
        ("test/cat/2.jpg", "cat", "saved"),
        ("train/cat/1.png", "cat", "saved"),
        ("train/cat/b/3.png", "b", "saved"),
        ("train/dog/1.PNG", "dog", "saved"),
    ]
    assert found[0]["url"] == (root / "test" / "cat" / "2.jpg").as_uri()


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["train/1.png", "test/2.png"], [None, None]),
        (["train/1.png", "car/2.png"], ["car", "train"]),
        (["1.png", "val/2.png"], [None, None]),
    ],
)
def test_a_folder_is_a_split_only_beside_splits(put, rows, names, classes):
    for number, name in enumerate(names):
        put(name, number)
    found, _ = rows()
    assert [row.get("class") for row in found] == classes


def test_metadata_give_title_url_licence_creator_and_class(root, put, rows):
    for number, name in enumerate(["b.png", "a.png", "deep/c.png", "rest/d.png"]):
        put(name, number)
    url = "https://a.example/b.jpg"
    write_metadata(
        root / "metadata.jsonl",
        {"file_name": "b.png", "text": "ピカ", "url": url, "license": "CC0", "author": "me", "category": 7, "n": [1]},
        {"file_name": "./a.png", "text": None, "url": url},
    )
    (root / "deep" / "metadata.csv").write_text('file_name,caption\nc.png,"a cat, sitting"\n')
    found, _ = rows()
    names = ("url", "page", "title", "license", "creator", "outcome")
    assert [tuple(row[name] for name in names) for row in found] == [
        ((root / "deep" / "c.png").as_uri(), root.as_uri(), "a cat, sitting", "", "", "saved"),
        (url, root.as_uri(), "ピカ", "CC0", "me", "saved"),
        ((root / "a.png").as_uri(), root.as_uri(), "a.png", "", "", "saved"),
        ((root / "rest" / "d.png").as_uri(), root.as_uri(), "rest/d.png", "", "", "saved"),
    ]
    assert [row.get("class") for row in found] == ["deep", "7", None, "rest"]


def test_a_picture_that_metadata_name_and_that_is_not_there_is_failed(root, put, rows):
    put("a.png", 1)
    os.mkfifo(root / "pipe.png")
    write_metadata(root / "metadata.jsonl", *({"file_name": name} for name in ("gone.png", "a.png", "pipe.png")))
    found, _ = rows()
    assert [(row["title"], row["outcome"], row["reason"]) for row in found] == [
        ("gone.png", "failed", "file: no such file"),
        ("a.png", "saved", ""),
        ("pipe.png", "failed", "file: no such file"),
    ]


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "\ud800\x1b[31m.png", "x" * 4000]
)
def test_no_name_leads_out_of_the_folder_or_stops_the_run(tmp_path, root, put, rows, responders, name):
    (tmp_path / "secret.png").write_bytes(responders.png(7))
    put("a.png", 1)
    write_metadata(root / "metadata.jsonl", {"file_name": name})
    found, _ = rows()
    assert [row["outcome"] for row in found] == ["rejected" if ".." in name or name[0] == "/" else "failed", "saved"]
    assert all(row["title"].isprintable() and row["url"].isprintable() for row in found)


def test_damaged_metadata_are_a_notice_and_pictures_are_read(root, put, rows):
    put("a.png", 1)
    (root / "metadata.jsonl").write_text('{"file_name": "a.png"}\n{\n{"file_name": ""}\n')
    found, notices = rows()
    assert [row["outcome"] for row in found] == ["saved"]
    assert notices[0].startswith(
        "imagefolder: 1 page read in part: 2 rows could not be used, the first: metadata.jsonl, line 2 is not a JSON"
    )


def test_the_column_of_files_can_be_named(root, put, rows):
    put("a.png", 1)
    (root / "metadata.csv").write_text("where,words\na.png,hello\n")
    found, _ = rows(columns=("file=where", "title=words"))
    assert [row["title"] for row in found] == ["hello"]


def test_names_that_are_not_unicode_are_read(root, put, rows):
    put(os.fsdecode(b"\xff.png"), 1)
    found, _ = rows()
    assert [(row["outcome"], row["title"]) for row in found] == [("saved", "�.png")]


def test_what_the_limit_leaves_out_is_counted(put, rows):
    for number in range(9):
        put(f"{number}.png", number)
    found, notices = rows(limit=2)
    assert len(found) == 2
    assert notices == ["imagefolder: the limit of 2 leaves out 7"]


def test_a_name_that_no_file_can_have_is_counted(root, put, rows):
    put("1.png", 1)
    write_metadata(root / "metadata.jsonl", {"file_name": "1.png"}, {"file_name": "é" * 2049})
    found, notices = rows()
    assert [row["outcome"] for row in found] == ["saved"]
    assert "line 2 has a name of more than 4,096 bytes" in notices[0]
