"""Squares for the grid and original pictures for the zoom; no other files."""

import os
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline.web.labelling.thumbnails import (
    MAX_DIRECT_BYTES,
    SIDE,
    ThumbnailCache,
    original_thumbnail,
    raster_type,
    thumbnail,
)
from tests.web.fake_dataset import picture_id

ID = picture_id(0)
HOSTILE = ["x", "..%2fmanifest.json", "*", "%00", picture_id(999)]


def original(fake_dataset, data, extension="png"):
    """Replace the first picture by other bytes, and request it."""
    folder = fake_dataset.data / "raw" / ID[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ID}.{extension}").write_bytes(data)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "bmp"])
def test_raster_pictures_have_their_content_type(fake_dataset, client, kind):
    made = BytesIO()
    Image.new("RGB", (50, 20)).save(made, kind)
    original(fake_dataset, made.getvalue(), "wrong")
    answer = client.get(f"/d/cats/original/{ID}")
    assert answer.headers["content-type"] == f"image/{kind}"
    assert answer.content == made.getvalue()
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", b"<html>", b"%PDF-1.7", b"II*\0", b""]
)
def test_other_files_are_replaced_by_the_square(fake_dataset, client, data):
    for path in (fake_dataset.store("download").newest().folder / "images").iterdir():
        path.write_bytes(data)
    original(fake_dataset, data)
    answer = client.get(f"/d/cats/original/{ID}")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.content)).size == (16, 16)


def test_original_comes_from_the_crawl_if_raw_lacks_it(fake_dataset, client):
    assert Image.open(BytesIO(client.get(f"/d/cats/original/{ID}").content)).size == (40, 40)


@pytest.mark.parametrize("kind", ["original", "square"])
def test_symlink_to_an_outside_file_is_refused(fake_dataset, client, tmp_path, kind):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (99, 99)).save(secret)
    store = fake_dataset.data / "raw" / ID[:2]
    store.mkdir(parents=True)
    for folder in (
        store,
        fake_dataset.store("download").newest().folder / "images",
        fake_dataset.store("normalize").newest().folder / "images",
    ):
        (folder / f"{ID}.png").unlink(missing_ok=True)
        os.symlink(secret, folder / f"{ID}.png")
    answer = client.get(f"/d/cats/{kind}/{ID}")
    assert answer.status_code == 404


def test_large_square_is_scaled_down(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > MAX_DIRECT_BYTES
    data, kind = thumbnail(tmp_path / "a.png", tmp_path)
    assert kind == "image/jpeg"
    assert Image.open(BytesIO(data)).size == (SIDE, SIDE)
    assert len(data) < MAX_DIRECT_BYTES


def test_text_with_a_bitmap_signature_is_sent_as_bitmap():
    assert raster_type(b"BMW is a car maker") == "image/bmp"
    assert raster_type(b"RIFF....WAVE") is None


def small_original(client):
    return Image.open(BytesIO(client.get(f"/d/cats/thumbnail/{ID}").content))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_thumbnail_of_an_original_keeps_its_shape(fake_dataset, client, kind):
    made = BytesIO()
    Image.new("RGB", (1600, 800), (200, 30, 30)).save(made, kind)
    original(fake_dataset, made.getvalue())
    answer = client.get(f"/d/cats/thumbnail/{ID}")
    assert (answer.headers["content-type"], "immutable" in answer.headers["cache-control"]) == ("image/jpeg", True)
    assert Image.open(BytesIO(answer.content)).size == (512, 256)


def png_bomb(side):
    """A PNG of `side` x `side` pixels in some kilobytes."""
    made = BytesIO()
    Image.new("1", (side, side)).save(made, "png")
    return made.getvalue()


@pytest.mark.parametrize(
    "data", [png_bomb(8000), b"\xff\xd8\xff broken", b"<svg/>"], ids=["bomb", "damaged", "no raster"]
)
def test_original_that_must_not_be_decoded_is_replaced_by_the_square(fake_dataset, client, data):
    for path in (fake_dataset.store("download").newest().folder / "images").iterdir():
        path.write_bytes(data)
    original(fake_dataset, data)
    assert small_original(client).size == (16, 16)


def test_thumbnails_are_decoded_once_and_limited_in_bytes(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    size = len(original_thumbnail(paths[0]))
    cache = ThumbnailCache(most=3 * size)
    made = [cache.get(path.stem, path) for path in paths]
    for path in paths:
        path.unlink()
    assert cache.get("3", paths[3]) == made[3]
    assert cache.get("0", paths[0]) is None  # dropped, and its file is gone
    assert cache.bytes <= 3 * size


@pytest.mark.parametrize("name", HOSTILE)
def test_thumbnail_of_no_square_is_not_served(fake_dataset, client, name):
    assert client.get(f"/d/cats/thumbnail/{name}").status_code == 404
