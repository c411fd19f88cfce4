"""The source `webdataset`: shards of img2dataset and of others, whole and damaged."""

import io
import json
import tarfile
import tracemalloc

import pytest

from pipeline.crawl import parquet
from pipeline.crawl.download import download
from pipeline.crawl.sources.webdataset import WebDatasetSource
from pipeline.errors import UserError
from pipeline.options import DownloadOptions
from pipeline.store import jsonl
from pipeline.store.digest import of_bytes
from pipeline.store.shards import Sample, write_shard


def about(number: int, **fields) -> dict:
    """What img2dataset's KEY.json has."""
    url = f"http://a.example/{number}.jpg"
    return {"caption": f"picture {number}", "url": url, "key": f"{number:05d}", "status": "success", **fields}


def sample(number: int, picture: bytes, extension: str = "png", **fields) -> Sample:
    texts = {"json": json.dumps(about(number, **fields)).encode(), "txt": f"picture {number}".encode()}
    return Sample(f"{number:05d}", {extension: picture, **texts})


@pytest.fixture
def root(tmp_path):
    (tmp_path / "shards").mkdir()
    return tmp_path / "shards"


@pytest.fixture
def rows(tmp_path, root):
    """Download the shards; the rows and the notices."""

    def read(path=root, **options):
        wanted = DownloadOptions(sources=("webdataset",), webdataset=str(path), **options)
        result = download(wanted, dataset=tmp_path / "dataset", folder=tmp_path / "folder")
        return list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl")), result.summary["notices"]

    return read


def write(path, samples) -> bytes:
    file = io.BytesIO()
    write_shard(file, samples)
    path.write_bytes(file.getvalue())
    return file.getvalue()


def test_pictures_have_the_metadata_of_their_samples(root, rows, responders):
    first, second = (responders.png(number) for number in (1, 2))
    write(root / "00001.tar", [sample(2, second, license="CC0", author="me", page="http://a.example/p")])
    write(root / "00000.tar", [sample(1, first), sample(3, first, extension="jpg")])
    found, _ = rows()
    names = ("id", "url", "title", "license", "creator", "page", "engine", "outcome")
    shard = (root / "00000.tar").as_uri()
    assert [tuple(row[name] for name in names) for row in found] == [
        (of_bytes(first), "http://a.example/1.jpg", "picture 1", "", "", shard, "webdataset", "saved"),
        (of_bytes(first), "http://a.example/3.jpg", "picture 3", "", "", shard, "webdataset", "duplicate"),
        (
            of_bytes(second),
            "http://a.example/2.jpg",
            "picture 2",
            "CC0",
            "me",
            "http://a.example/p",
            "webdataset",
            "saved",
        ),
    ]


def test_shards_of_others_need_no_metadata(root, rows, responders):
    samples = [
        Sample("a/x", {"png": responders.png(1), "cls": b"7\n", "txt": "ピカ".encode()}),
        Sample("y", {"left.webp": responders.png(2), "right.webp": responders.png(3), "json": b"[1]"}),
        Sample("z", {"mp3": b"...", "json": b"{}"}),
        Sample("y", {"left.webp": responders.png(4)}),
    ]
    write(root / "train.tar", samples)
    found, notices = rows()
    uri = (root / "train.tar").as_uri()
    assert [(row["url"], row["title"], row.get("class"), row["outcome"]) for row in found] == [
        (f"{uri}#a/x.png", "ピカ", "7", "saved"),
        (f"{uri}#y.left.webp", "train.tar#y.left.webp", None, "saved"),
        (f"{uri}#y.right.webp", "train.tar#y.right.webp", None, "saved"),
        (f"{uri}#z", "train.tar#z", None, "rejected"),
        (f"{uri}#y.left.webp+2", "train.tar#y.left.webp", None, "saved"),
    ]
    assert found[3]["reason"] == "no picture in the sample, only mp3, json"
    assert notices[0].startswith(
        "webdataset: 1 page read in part: 1 metadata file could not be used, the first: y.json is not a JSON object"
    )


def test_two_pictures_of_one_url_stay_two(root, rows, responders):
    write(root / "a.tar", [sample(1, responders.png(1)), sample(1, responders.png(2))])
    found, _ = rows()
    urls = ["http://a.example/1.jpg", f"{(root / 'a.tar').as_uri()}#00001.png"]
    assert [(row["url"], row["outcome"]) for row in found] == [(url, "saved") for url in urls]


def test_a_thousand_files_of_one_name_have_short_urls_and_are_all_read(root, rows, responders):
    write(root / "a.tar", [Sample("a", {"png": responders.png(number)}) for number in range(1000)])
    found, _ = rows()
    assert [row["outcome"] for row in found] == ["saved"] * 1000
    assert found[0]["url"].endswith("a.tar#a.png")
    assert found[-1]["url"].endswith("a.tar#a.png+1000")


def test_what_a_picture_needs_in_memory_does_not_grow_with_its_name(root):
    write(root / "a.tar", [Sample("x" * 80 + f"{number:05d}", {"png": b"x"}) for number in range(5000)])
    source = WebDatasetSource(DownloadOptions(webdataset=str(root / "a.tar"), limit=10**6))
    tracemalloc.start()
    source.read(source.start(), None)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 200 * 5000


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "data:image/png;base64,A", "x", 3, None])
def test_a_url_that_is_none_of_the_web_is_not_the_url_of_a_row(root, rows, responders, url):
    write(root / "a.tar", [sample(1, responders.png(1), url=url, page=url)])
    found, _ = rows()
    assert [row["url"] for row in found] == [f"{(root / 'a.tar').as_uri()}#00001.png"]
    assert found[0]["page"] == (root / "a.tar").as_uri()


def test_files_in_folders_are_shards_too(root, rows, responders):
    (root / "00000").mkdir()
    (root / "00000_stats.json").write_text("{}")
    for name, content in sample(1, responders.png(1), extension="jpg").files.items():
        (root / "00000" / f"00001.{name}").write_bytes(content)
    (root / "00000" / "notes.md").write_text("no sample")
    found, _ = rows()
    assert [(row["url"], row["title"], row["outcome"]) for row in found] == [
        ("http://a.example/1.jpg", "picture 1", "saved")
    ]
    found, _ = rows(root / "00000")
    assert [row["outcome"] for row in found] == ["saved"]


def test_no_more_shards_are_read_than_the_limit_needs(root, rows, responders):
    for number in range(4):
        write(root / f"{number}.tar", [sample(10 * number + each, responders.png(each)) for each in range(9)])
    (root / "3.tar").write_bytes(b"never read")
    found, notices = rows(limit=4)
    assert len(found) == 4
    assert notices == [
        f"webdataset: 1 page read in part: the limit needs no more of it ({root / '0.tar'})",
        "webdataset: the limit of 4 leaves out 4 and what 3 pages more show",
    ]


def test_too_large_pictures_are_rejected_and_never_read(root, rows, responders):
    write(root / "a.tar", [sample(1, bytes(9000)), sample(2, responders.png(2))])
    found, _ = rows(max_bytes=8000)
    assert [row["outcome"] for row in found] == ["rejected", "saved"]
    assert (found[0]["reason"], found[0]["bytes"]) == ("too large", 9000)


def test_a_shard_that_is_cut_short_gives_what_it_has(root, rows, responders):
    content = write(root / "a.tar", [sample(number, responders.png(number)) for number in range(1, 4)])
    with tarfile.open(root / "a.tar") as tar:
        last = tar.getmember("00003.png")
    (root / "a.tar").write_bytes(content[: last.offset_data + 20])
    (root / "b.tar").write_bytes(b"no tar")
    (root / "c.tar").touch()
    found, notices = rows()
    assert [(row["outcome"], row["reason"]) for row in found] == [
        ("saved", ""),
        ("saved", ""),
        ("failed", "file: it is cut short"),
    ]
    assert f"webdataset: 2 pages not read: it is no tar file ({root / 'b.tar'})" in notices
    assert f"webdataset: 1 page read in part: it is cut short ({root / 'a.tar'})" in notices


def write_list(root, rows) -> None:
    """Beside 00000.tar, what img2dataset leaves."""
    pyarrow = pytest.importorskip("pyarrow", reason="needs requirements-parquet.txt")
    from pyarrow import parquet as written

    written.write_table(pyarrow.Table.from_pylist(rows), root / "00000.parquet")


FAILED = about(2, status="failed_to_download", error_message="HTTP Error 404: Not Found", license="CC0")


def test_what_img2dataset_could_not_fetch_is_failed_so_that_counts_add_up(root, rows, responders):
    write(root / "00000.tar", [sample(1, responders.png(1))])
    write_list(root, [about(1, error_message=None, license=None), FAILED, about(3, error_message=None, license=None)])
    found, notices = rows()
    assert [(row["url"][-5:], row["outcome"], row["reason"], row["license"]) for row in found] == [
        ("1.jpg", "saved", "", ""),
        ("2.jpg", "failed", "img2dataset: HTTP Error 404: Not Found", "CC0"),
        ("3.jpg", "failed", "not in 00000.tar", ""),
    ]
    assert notices == ["asked for 3 pictures of at most 1000: the sources had no more"]


def test_without_pyarrow_a_notice_says_what_was_not_read(root, rows, responders, monkeypatch):
    monkeypatch.setattr(parquet, "PACKAGE", "no_pyarrow")
    write(root / "00000.tar", [sample(1, responders.png(1))])
    (root / "00000.parquet").write_bytes(b"PAR1")
    (root / "00000_stats.json").write_text('{"count": 15, "successes": 12}')
    for path in (root, root / "00000.tar"):
        found, notices = rows(path)
        assert [row["outcome"] for row in found] == ["saved"]
        assert notices[0] == (
            "webdataset: 1 page read in part: 1 Parquet file not read, with 3 failures; `make parquet` installs what"
            f" reads them, and `python -m tasks rerun download` then does ({path})"
        )


@pytest.mark.parametrize(
    "stats", ["", "[" * 9000, "3", '{"count": "x"}', '{"count": 1, "successes": 9}', '{"count": 1e999}']
)
def test_damaged_lists_and_counts_are_notices(root, rows, responders, monkeypatch, stats):
    write(root / "00000.tar", [sample(1, responders.png(1))])
    (root / "00000.parquet").write_bytes(b"PAR1")
    (root / "00000_stats.json").write_text(stats)
    pytest.importorskip("pyarrow", reason="needs requirements-parquet.txt")
    found, notices = rows()
    assert [row["outcome"] for row in found] == ["saved"]
    assert "00000.parquet: the rest cannot be read, the file is damaged" in notices[0]
    monkeypatch.setattr(parquet, "PACKAGE", "no_pyarrow")
    _, notices = rows()
    assert "1 Parquet file not read; `make parquet`" in notices[0]


def test_a_later_crawl_of_the_web_fetches_what_a_shard_only_has_a_copy_of(root, rows, run, site, responders):
    (picture,) = site.pictures(1)
    write(root / "a.tar", [sample(1, responders.png(9), url=site.url + picture)])
    write_list_of_urls = root.parent / "list.txt"
    write_list_of_urls.write_text(site.url + picture)
    rows()
    _, folder = run(sources=("urls",), urls=str(write_list_of_urls))
    (row,) = jsonl.read_rows(folder / "images.jsonl")
    assert row["id"] == of_bytes(responders.png(0))
    assert site.hits[picture] == 1


def test_metadata_that_are_too_long_are_a_notice(root, rows, responders):
    write(root / "a.tar", [sample(1, responders.png(1), exif="x" * 1_000_000)])
    found, notices = rows()
    assert [(row["outcome"], row["title"]) for row in found] == [("saved", "picture 1")]
    assert "00001.json is longer than 1 MB, or cannot be read" in notices[0]


def test_the_error_without_a_picture_is_short_however_many_reasons_there_are(root, rows):
    failed = [{"status": "failed_to_download", "error_message": f"no certificate for {n}.example"} for n in range(200)]
    write(root / "a.tar", [Sample(f"{n:05d}", {"json": json.dumps(each).encode()}) for n, each in enumerate(failed)])
    with pytest.raises(UserError, match="190 other reasons") as caught:
        rows()
    assert len(str(caught.value)) < 2000
