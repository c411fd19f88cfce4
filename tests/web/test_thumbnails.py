"""Squares for the grid, originals for the zoom, and nothing else."""

import os
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline.web.thumbnails import LARGE, SIDE, raster_type, thumbnail
from tests.web.drawn_home import picture_id

ID = picture_id(0)


def original(home, data, extension="png"):
    """Put other bytes in the place of the first picture, and ask for it."""
    folder = home.data / "raw" / ID[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ID}.{extension}").write_bytes(data)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "bmp"])
def test_pictures_that_browsers_show_are_shown_as_what_they_are(home, client, kind):
    made = BytesIO()
    Image.new("RGB", (50, 20)).save(made, kind)
    original(home, made.getvalue(), "wrong")
    answer = client.get(f"/d/cats/original/{ID}")
    assert answer.headers["content-type"] == f"image/{kind}"
    assert answer.content == made.getvalue()
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", b"<html>", b"%PDF-1.7", b"II*\0", b""]
)
def test_anything_else_is_answered_with_the_square(home, client, data):
    for path in (home.shelf("download").newest().folder / "images").iterdir():
        path.write_bytes(data)
    original(home, data)
    answer = client.get(f"/d/cats/original/{ID}")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.content)).size == (16, 16)


def test_the_crawls_own_copy_does_where_the_store_has_none(home, client):
    assert Image.open(BytesIO(client.get(f"/d/cats/original/{ID}").content)).size == (40, 40)


@pytest.mark.parametrize("kind", ["original", "square"])
def test_a_link_to_a_file_outside_is_not_followed(home, client, tmp_path, kind):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (99, 99)).save(secret)
    store = home.data / "raw" / ID[:2]
    store.mkdir(parents=True)
    for folder in (
        store,
        home.shelf("download").newest().folder / "images",
        home.shelf("normalize").newest().folder / "images",
    ):
        (folder / f"{ID}.png").unlink(missing_ok=True)
        os.symlink(secret, folder / f"{ID}.png")
    answer = client.get(f"/d/cats/{kind}/{ID}")
    assert answer.status_code == 404


def test_large_squares_are_made_smaller(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > LARGE
    data, kind = thumbnail(tmp_path / "a.png", tmp_path)
    assert kind == "image/jpeg"
    assert Image.open(BytesIO(data)).size == (SIDE, SIDE)
    assert len(data) < LARGE


def test_a_text_that_begins_like_a_bitmap_is_shown_as_one_at_worst():
    assert raster_type(b"BMW is a car maker") == "image/bmp"
    assert raster_type(b"RIFF....WAVE") is None
