"""IDX files, the format of MNIST: every picture is a candidate of its own."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from pipeline.crawl.download import download
from pipeline.crawl.sources import local
from pipeline.crawl.sources.idx import read_idx
from pipeline.images.normalize import normalize
from pipeline.images.png import decode_png
from pipeline.options import DownloadOptions, NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import jsonl

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def encode(array: np.ndarray) -> bytes:
    """An IDX file."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """A folder with five pictures and their classes in gzipped IDX files."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(encode(PIXELS)))
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(encode(np.array([9, 0, 3, 3, 1], np.uint8))))
    return folder


def crawl(tmp_path, folder, **options):
    result = download(
        DownloadOptions(sources=("folder",), folder=str(folder), **options),
        dataset=tmp_path / "dataset",
        folder=tmp_path / "folder",
    )
    return result, list(jsonl.read_rows(tmp_path / "folder" / "images.jsonl"))


def test_each_picture_of_a_gzipped_file_is_a_row_with_its_number_and_class(tmp_path, folder):
    result, rows = crawl(tmp_path, folder)
    uri = (folder / f"{IMAGES}.gz").as_uri()
    assert [row["url"] for row in rows] == [f"{uri}#{number}" for number in range(5)]
    assert [row["title"] for row in rows] == [f"{IMAGES}.gz#{number}" for number in range(5)]
    assert [row["class"] for row in rows] == ["9", "0", "3", "3", "1"]
    assert {(row["outcome"], row["type"], row["width"], row["height"]) for row in rows} == {("saved", "png", 28, 28)}
    assert result.summary["requested"] == 5
    saved = (tmp_path / "folder" / "images" / f"{rows[2]['id']}.png").read_bytes()
    assert np.array_equal(decode_png(saved)[..., 0], PIXELS[2])


def test_a_plain_file_without_labels_has_rows_without_classes(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / IMAGES).write_bytes(encode(PIXELS))
    _, rows = crawl(tmp_path, tmp_path / "pictures")
    assert len(rows) == 5
    assert not any("class" in row for row in rows)


def test_pictures_beyond_the_limit_are_counted_and_not_read(tmp_path, folder):
    result, rows = crawl(tmp_path, folder, limit=2)
    assert [row["outcome"] for row in rows] == ["saved", "saved"]
    assert result.summary["notices"] == ["folder: the limit of 2 leaves out 3"]


def test_pictures_of_an_idx_file_are_made_to_squares_beside_large_ones(tmp_path, folder, responders):
    (folder / "thumbnail.png").write_bytes(responders.png(1))  # 8 x 8: too small, as always
    Image.effect_mandelbrot((90, 90), (-3, -2.5, 2, 2.5), 100).save(folder / "large.png")
    crawl(tmp_path, folder)
    (tmp_path / "squares").mkdir()
    result = normalize(
        NormalizeOptions(processes=1, near_duplicates=-1),
        download=tmp_path / "folder",
        folder=tmp_path / "squares",
        progress=silent,
        should_stop=never,
    )
    assert (result.summary["kept"], result.summary["reasons"]) == (6, {"too small": 1})


def test_a_file_that_is_cut_short_gives_one_row_for_all_missing_pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / IMAGES).write_bytes(encode(PIXELS)[:-800])
    _, rows = crawl(tmp_path, tmp_path / "pictures")
    assert [row["outcome"] for row in rows] == ["saved"] * 3 + ["failed"]
    assert rows[3]["reason"] == "file: it ends before this picture, its header promises more"


def test_a_damaged_gzip_file_gives_what_there_is_before_the_damage(tmp_path):
    path = tmp_path / f"{IMAGES}.gz"
    whole = gzip.compress(encode(PIXELS), 0)
    path.write_bytes(whole[: len(whole) // 2])
    found = read_idx(path, 10)
    assert (found.count, found.total) == (5, 5)
    assert 1 <= len(found.pixels) < 5
    assert np.array_equal(found.pixels, PIXELS[: len(found.pixels)])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b",
        b"\x1f\x8b\x08garbage",
        b"\x00\x00\x08\x03",
        b"\x00\x00\x08\x03" + struct.pack(">3I", 5, 0, 28),
        b"\x00\x00\x08\x03" + struct.pack(">3I", 5, 1 << 31, 1 << 31),
        encode(PIXELS[0]),
        b"\x00\x00\x0d\x03" + encode(PIXELS)[4:],  # floats
    ],
)
def test_what_is_no_idx_file_of_pictures_is_an_ordinary_file(tmp_path, content):
    (tmp_path / IMAGES).write_bytes(content)
    assert read_idx(tmp_path / IMAGES, 10) is None


def test_file_with_another_name_is_not_opened(tmp_path):
    (tmp_path / "pictures.bin").write_bytes(encode(PIXELS))
    assert read_idx(tmp_path / "pictures.bin", 10) is None


def test_labels_of_another_number_of_pictures_are_not_used(tmp_path):
    (tmp_path / IMAGES).write_bytes(encode(PIXELS))
    (tmp_path / LABELS).write_bytes(encode(np.zeros(4, np.uint8)))
    assert read_idx(tmp_path / IMAGES, 10).classes is None


def test_large_pictures_are_read_as_far_as_memory_allows(tmp_path):
    (tmp_path / IMAGES).write_bytes(encode(PIXELS))
    found = read_idx(tmp_path / IMAGES, 10, max_bytes=2 * 28 * 28 + 100)
    assert (found.count, found.total, len(found.pixels)) == (2, 5, 2)


def test_header_that_promises_a_bomb_takes_no_memory(tmp_path):
    (tmp_path / f"{IMAGES}.gz").write_bytes(
        gzip.compress(b"\x00\x00\x08\x03" + struct.pack(">3I", 0xFFFFFFFF, 4096, 4096) + bytes(1000))
    )
    found = read_idx(tmp_path / f"{IMAGES}.gz", 2000)
    assert (found.count, len(found.pixels)) == (16, 0)


def test_header_that_promises_a_billion_pictures_takes_no_place_from_others(tmp_path, responders):
    folder = tmp_path / "pictures"
    folder.mkdir()
    header = b"\x00\x00\x08\x03" + struct.pack(">3I", 10**9, 28, 28)
    (folder / "a-images-idx3-ubyte").write_bytes(header + PIXELS[:2].tobytes())
    (folder / "b.png").write_bytes(responders.png(1))
    result, rows = crawl(tmp_path, folder, limit=5)
    assert [row["outcome"] for row in rows] == ["saved", "saved", "failed", "saved"]
    assert result.summary["notices"] == ["asked for 4 pictures of at most 5: the sources had no more"]


def test_many_bombs_share_the_memory_of_one(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    monkeypatch.setattr(local, "MAX_BYTES", 10_000)
    bomb = gzip.compress(b"\x00\x00\x08\x03" + struct.pack(">3I", 1 << 31, 64, 64) + bytes(1 << 20))
    for number in range(4):
        (folder / f"{number}-images-idx3-ubyte.gz").write_bytes(bomb)
    source = local.FolderSource(DownloadOptions(sources=("folder",), folder=str(folder)))
    found = source._read_idx_files(sorted(folder.iterdir()))
    assert [len(pictures.pixels) for pictures in found.values()] == [2, 0, 0, 0]
    result, rows = crawl(tmp_path, folder, limit=9)
    assert len(rows) == 2
    (notice, _) = result.summary["notices"]
    assert "only 256 MB of pictures in IDX files are read" in notice


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (LABELS, encode(np.zeros(4, np.uint8)), "IDX file: labels of another number of pictures"),
        ("t10k-labels-idx1-ubyte", encode(np.zeros(4, np.uint8)), "IDX file: labels without pictures"),
        (
            "float-images-idx3-ubyte",
            b"\0\0\x0d\x03" + encode(PIXELS)[4:],
            "IDX file: only grey pictures of unsigned bytes, in three dimensions, are read",
        ),
        (
            "colour-idx4-ubyte.gz",
            gzip.compress(encode(PIXELS.reshape(1, 5, 28, 28))),
            "IDX file: only grey pictures of unsigned bytes, in three dimensions, are read",
        ),
        (
            "cut-images-idx3-ubyte",
            encode(PIXELS)[:9],
            "IDX file: its header is damaged, or pictures have a side above 4096 px",
        ),
    ],
)
def test_idx_file_that_cannot_be_used_has_a_row_that_says_why(tmp_path, name, content, reason):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / IMAGES).write_bytes(encode(PIXELS))
    (tmp_path / "pictures" / name).write_bytes(content)
    _, rows = crawl(tmp_path, tmp_path / "pictures")
    (row,) = [row for row in rows if row["outcome"] != "saved"]
    assert (row["title"], row["outcome"], row["reason"]) == (name, "rejected", reason)
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte"),
    ],
)
def test_labels_are_found_by_the_names_that_are_published(tmp_path, images, labels):
    for name, array in ((images, PIXELS), (labels, np.arange(5, dtype=np.uint8))):
        content = encode(array)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert read_idx(tmp_path / images, 10).classes == (0, 1, 2, 3, 4)


def test_published_fashion_mnist_is_read(shared_data):
    found = read_idx(shared_data / "fashion-mnist" / "t10k-images-idx3-ubyte.gz", 100)
    assert (found.pixels.shape, found.total) == ((100, 28, 28), 10_000)
    assert found.classes[:3] == (9, 2, 1)
