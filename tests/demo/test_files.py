"""The bytes behind each address."""

import subprocess
import sys
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.demo.catalogue import entries, entry
from pipeline.demo.files import file_of
from pipeline.demo.picture import draw

REPOSITORY = Path(__file__).parent.parent.parent
SITE = entries(192)  # three blocks: every form is among them
DEEP = [each for each in entries(700) if each.form == "deep"]
KINDS = {
    "jpeg": "JPEG",
    "late": "JPEG",
    "turned": "JPEG",
    "cmyk": "JPEG",
    "banner": "JPEG",
    "recompressed": "JPEG",
    "resized": "JPEG",
    "mirrored": "JPEG",
    "again": "JPEG",
    "png": "PNG",
    "palette": "PNG",
    "alpha": "PNG",
    "deep": "PNG",
    "icon": "PNG",
    "webp": "WEBP",
    "animated": "GIF",
}


@lru_cache(maxsize=300)
def body(number: int) -> bytes | None:
    return file_of(entry(number), 0)


def first(form: str):
    return next(each for each in SITE if each.form == form)


def opened(form: str) -> Image.Image:
    return Image.open(BytesIO(body(first(form).number)))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"), np.float32)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two pictures at 32 pixels."""
    small = [cv2.resize(each, (32, 32), interpolation=cv2.INTER_AREA).ravel() for each in (first, second)]
    return float(np.corrcoef(*small)[0, 1])


def test_every_entry_decodes_as_what_it_claims():
    assert {each.form for each in SITE} == set(KINDS) | {"missing", "page", "cut"}
    for each in SITE:
        if each.truth:
            picture = Image.open(BytesIO(body(each.number)))
            picture.load()
            assert picture.format == KINDS[each.form], each


def test_drawing_is_the_same_in_another_process_and_in_any_order():
    numbers = [first(form).number for form in ("jpeg", "png", "webp", "alpha", "animated", "mirrored")]
    code = "import sys; from pipeline.demo.catalogue import entry; from pipeline.demo.files import file_of\n"
    code += "from hashlib import sha256\nfor n in sys.argv[1:]: print(sha256(file_of(entry(int(n)), 0)).hexdigest())"
    words = [sys.executable, "-c", code, *map(str, reversed(numbers))]
    said = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    assert said[::-1] == [sha256(body(number)).hexdigest() for number in numbers]


def test_another_seed_draws_another_picture():
    number = first("jpeg").number
    assert file_of(entry(number), 1) != body(number)


def test_a_dead_link_has_no_body_and_a_page_is_html():
    assert body(first("missing").number) is None
    assert body(first("page").number).startswith(b"<!DOCTYPE html>")


def test_a_cut_jpeg_opens_but_does_not_load():
    picture = opened("cut")
    with pytest.raises(OSError, match="truncated"):
        picture.load()


def test_exact_copies_have_the_same_bytes_and_near_copies_do_not():
    for each in SITE:
        if each.of is not None:
            assert (body(each.number) == body(each.of)) == (each.form == "again"), each


@pytest.mark.parametrize("form", ["recompressed", "resized", "mirrored"])
def test_near_copies_look_like_the_original(form):
    copy = first(form)
    shown, original = pixels(body(copy.number)), pixels(body(copy.of))
    if form == "mirrored":
        assert likeness(shown, original) < 0.99
        shown = shown[:, ::-1]
    assert likeness(shown, original) > 0.99
    assert (shown.shape != original.shape) == (form == "resized")


def test_a_turned_jpeg_is_upright_once_its_orientation_is_obeyed():
    for each in (each for each in SITE if each.form == "turned"):
        picture = Image.open(BytesIO(body(each.number)))
        drawn = draw(each.subject, np.random.default_rng([0, each.number])).astype(np.float32)
        upright = np.asarray(ImageOps.exif_transpose(picture), np.float32)
        assert picture.getexif()[0x0112] in (3, 5, 6, 8)
        assert upright.shape == drawn.shape
        assert likeness(upright, drawn) > 0.99
        assert likeness(np.asarray(picture, np.float32), drawn) < 0.95


def test_the_modes_that_decoders_stumble_over():
    assert opened("palette").mode == "P"
    assert opened("cmyk").mode == "CMYK"
    assert opened("animated").n_frames == 3
    assert opened("icon").size == (16, 16)
    wide, high = opened("banner").size
    assert wide / high > 6


def test_deep_pictures_have_16_bits_grey_and_in_colour():
    read = [cv2.imdecode(np.frombuffer(body(each.number), np.uint8), cv2.IMREAD_UNCHANGED) for each in DEEP]
    assert {each.dtype for each in read} == {np.dtype(np.uint16)}
    assert {each.ndim for each in read} == {2, 3}


def test_colours_that_mean_nothing_lie_under_transparent_pixels():
    shown = next(each for each in entries(700) if each.form == "alpha" and each.subject == "toadstool")
    rgba = np.asarray(Image.open(BytesIO(body(shown.number))))
    clear = rgba[rgba[..., 3] == 0]
    assert 0.2 < len(clear) / rgba[..., 3].size < 0.95
    assert (rgba[..., 3] == 255).any()
    assert clear[:, :3].std() > 50


def test_a_late_picture_is_a_picture():
    assert opened("late").format == "JPEG"
