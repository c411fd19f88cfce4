"""Local sources: a file of URLs, a folder of pictures."""

import os

from pipeline.crawl.download import download
from pipeline.crawl.sources import local
from pipeline.crawl.validate import content_inputs
from pipeline.images.picture_class import describe_class
from pipeline.options import DownloadOptions
from pipeline.store import jsonl


def download_rows(tmp_path, options):
    result = download(options, dataset=tmp_path / "dataset", folder=tmp_path / "folder")
    return result, list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl"))


def test_folder_is_read_in_sorted_order(tmp_path, pictures):
    result, rows = download_rows(tmp_path, DownloadOptions(sources=("folder",), folder=str(pictures)))
    assert [(row["title"], row["outcome"]) for row in rows] == [
        ("a copy.png", "saved"),
        ("b.png", "duplicate"),
        ("deep/ピカ.jpg", "saved"),
        ("notes.txt", "rejected"),
    ]
    assert rows[1]["url"] == (pictures / "b.png").as_uri()
    assert result.summary["requested"] == 4


def test_a_subfolder_is_a_class_and_another_one_changes_the_digest_of_the_classes_alone(tmp_path, responders):
    root = tmp_path / "pictures"
    for number, name in enumerate(("red", "blue")):
        (root / name).mkdir(parents=True)
        (root / name / "1.png").write_bytes(responders.png(number))
    options = DownloadOptions(sources=("folder",), folder=str(root))
    first, rows = download_rows(tmp_path, options)
    assert [describe_class(row)[1] for row in rows] == ["blue", "red"]
    (root / "red").rename(root / "warm")
    second, _ = download_rows(tmp_path, options)
    assert second.outputs["images"] == first.outputs["images"]
    assert second.outputs["classes"] != first.outputs["classes"]
    (root / "warm").rename(root / "red")
    assert download_rows(tmp_path, options)[0].outputs == first.outputs


def test_edited_file_is_read_again(tmp_path, pictures, responders):
    options = DownloadOptions(sources=("folder",), folder=str(pictures))
    first, _ = download_rows(tmp_path, options)
    (pictures / "b.png").write_bytes(responders.png(9))
    second, rows = download_rows(tmp_path, options)
    assert first.outputs != second.outputs
    assert rows[1]["outcome"] == "saved"


def test_too_large_file_is_rejected(tmp_path, pictures):
    (pictures / "big.png").write_bytes(bytes(5000))
    _, rows = download_rows(tmp_path, DownloadOptions(sources=("folder",), folder=str(pictures), max_bytes=4000))
    assert [row["reason"] for row in rows if row["title"] == "big.png"] == ["too large"]


def test_url_list_is_requested_in_order_with_a_row_per_line(tmp_path, site, options):
    first, second = site.pictures(2)
    listed = tmp_path / "urls.txt"
    lines = ["# a comment", "", site.url + second, site.url + first + "#part", "ftp://a.example/x.png", "no address"]
    listed.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    _, rows = download_rows(tmp_path, options(sources=("urls",), urls=str(listed)))
    assert [(row["url"], row["outcome"], row["reason"]) for row in rows] == [
        (site.url + second, "saved", ""),
        (site.url + first, "saved", ""),
        ("ftp://a.example/x.png", "rejected", "not http(s)"),
        ("no address", "rejected", "not http(s)"),
    ]


def test_notice_counts_files_beyond_the_limit(tmp_path, pictures):
    result, _ = download_rows(tmp_path, DownloadOptions(sources=("folder",), folder=str(pictures), limit=3))
    assert result.summary["notices"] == ["folder: the limit of 3 leaves out 1"]


def test_control_characters_in_file_names_are_escaped_and_files_read(tmp_path, responders):
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = [b"\x1b[31mred.png", b"line\nbreak.png", b"\xff\xfe.png", "\u202egnp.png".encode()]
    for number, name in enumerate(names):
        (folder / os.fsdecode(name)).write_bytes(responders.png(number))
    options = DownloadOptions(sources=("folder",), folder=str(folder))
    assert content_inputs(options, tmp_path / "dataset")
    result, rows = download_rows(tmp_path, options)
    assert result.summary["saved"] == len(names)
    assert all(row["title"].isprintable() and row["url"].isprintable() for row in rows)


def test_large_folder_is_requested_as_far_as_the_limit_needs(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:02}.txt").write_bytes(b"x")
    (folder / "00.txt").write_bytes(b"GIF89a")
    options = DownloadOptions(sources=("folder",), folder=str(folder), limit=3)
    result, rows = download_rows(tmp_path, options)
    assert [row["title"] for row in rows] == ["00.txt", "01.txt", "02.txt"]
    assert result.summary["notices"] == ["folder: the limit of 3 leaves out 47"]


def test_endless_line_is_one_overlong_url(tmp_path, site, options):
    listed = tmp_path / "urls.txt"
    (picture,) = site.pictures(1)
    listed.write_text(f"http://a.example/{'x' * 3_000_000}\n{site.url}{picture}\n")
    _, rows = download_rows(tmp_path, options(sources=("urls",), urls=str(listed)))
    assert [(row["outcome"], row["reason"]) for row in rows] == [("rejected", "address too long"), ("saved", "")]
    assert len(rows[0]["url"]) < 5000


def test_file_that_grows_while_read_is_too_large(tmp_path, pictures, monkeypatch):
    (pictures / "b.png").write_bytes(bytes(5000))
    monkeypatch.setattr(local, "_file_size", lambda path: 10)
    _, rows = download_rows(tmp_path, DownloadOptions(sources=("folder",), folder=str(pictures), max_bytes=4000))
    assert [row["reason"] for row in rows if row["title"] == "b.png"] == ["too large"]
