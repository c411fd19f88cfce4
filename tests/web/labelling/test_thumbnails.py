"""Squares for the grid and original pictures for the zoom; no other files."""

import os
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline.web.labelling.thumbnails import MAX_DIRECT_BYTES, SIDE, raster_type, thumbnail
from tests.web.fake_dataset import picture_id

ID = picture_id(0)


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
