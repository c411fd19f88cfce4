"""Reading pictures for style transfer, and what is refused."""

import os
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png import encode_png
from pipeline.style.style_pictures import as_picture, distinct, find_pictures
from tests.style.drawn_pictures import disc


def written(pixels: np.ndarray, suffix: str) -> bytes:
    """A file of `pixels` in the format of `suffix`, by Pillow."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, {".png": "PNG", ".tiff": "TIFF"}[suffix])
    return file.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "disc.png"
    path.write_bytes(encode_png(disc()))
    return path


def test_a_file_is_read_with_its_name_and_digest(file):
    found = as_picture(file, "content")
    np.testing.assert_array_equal(found.pixels, disc())
    assert found.name == "disc.png"
    assert len(found.digest) == 64
    assert as_picture(str(file), "content").digest == found.digest


def test_arrays_of_bytes_and_of_floats_are_the_same_picture():
    found = [as_picture(array, "content") for array in (disc(), disc() / 255, disc().astype(np.float32) / 255)]
    assert len({each.digest for each in found}) == 1


def test_a_grey_array_has_three_channels():
    grey = disc()[..., 0]
    for array in (grey, grey[..., None]):
        assert as_picture(array, "content").pixels.shape == (48, 48, 3)


def test_transparent_pixels_are_white(tmp_path):
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (as_picture(tmp_path / "clear.png", "content").pixels == 255).all()


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(disc(40, width=60)).save(tmp_path / "turned.jpg", exif=exif)
    assert as_picture(tmp_path / "turned.jpg", "content").pixels.shape == (60, 40, 3)


def test_a_picture_is_scaled_along_its_longer_side():
    found = as_picture(disc(40, width=80), "content").scaled(64)
    assert found.shape == (32, 64, 3)
    assert found.dtype == np.float32
    assert found.max() <= 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is text", "this is no picture, or a damaged one"),
        (b"", "this is no picture"),
        (encode_png(disc())[:200], "this is no picture, or a damaged one"),
        (encode_png(disc(20)), "20 x 20 pixels are too few; give at least 32"),
        (encode_png(disc(40, width=200)), "200 x 40 pixels are too long; the limit is 4 to 1"),
        (written(np.zeros((40, 40), np.float32), ".tiff"), "its pixels are neither grey levels nor colours"),
    ],
)
def test_what_is_no_usable_picture_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "wrong.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        as_picture(path, "style")
    assert str(caught.value).startswith(f"style {path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_grey_of_16_bits_keeps_its_levels(tmp_path, suffix):
    ramp = np.tile(np.linspace(0, 65535, 64), (40, 1)).astype(np.uint16)
    (tmp_path / f"ramp{suffix}").write_bytes(written(ramp, suffix))
    found = as_picture(tmp_path / f"ramp{suffix}", "content").pixels
    np.testing.assert_allclose(found[20, :, 0], ramp[20] / 257, atol=1.5)


def test_the_home_of_nobody_is_a_missing_file():
    with pytest.raises(UserError, match=r"style ~nosuchuser/a\.png: cannot be read"):
        as_picture("~nosuchuser/a.png", "style")


def test_names_become_names_of_files():
    long, *others = distinct(["ü" * 200, "a\nb", os.fsdecode(b"\xff")])
    assert len(long.encode()) <= 150
    assert others == ["a_b", "_"]


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        as_picture(tmp_path / "none.png", "content")
    with pytest.raises(UserError, match="this is a folder"):
        as_picture(tmp_path, "content")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.int64),
        np.full((40, 40, 3), 255.0),
        np.full((40, 40, 3), np.nan),
        np.zeros((0, 0, 3), np.float32),
        [[1, 2], [3]],
        "a\0b.png",
        None,
    ],
)
def test_an_array_of_something_else_is_refused(array):
    with pytest.raises(UserError, match=r"content(: | 'a)"):
        as_picture(array, "content")


def test_a_folder_gives_its_pictures_in_order(tmp_path):
    for name in ("b.png", "a.JPG", ".hidden.png", "notes.txt"):
        cv2.imwrite(str(tmp_path / name), disc()) if "txt" not in name else (tmp_path / name).write_text("x")
    assert [path.name for path in find_pictures(tmp_path)] == ["a.JPG", "b.png"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no pictures in it"):
        find_pictures(tmp_path)


def test_names_are_given_once():
    assert distinct(["a", "a", "A", "b"]) == ["a", "a-2", "A-3", "b"]
