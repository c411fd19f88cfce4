"""The bytes of the demo's files."""

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
SITE = entries(192)  # three blocks, which contain every form
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


def first_entry_of(form: str):
    return next(each for each in SITE if each.form == form)


def opened_image_of(form: str) -> Image.Image:
    return Image.open(BytesIO(body(first_entry_of(form).number)))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"), np.float32)


def correlation(first_entry_of: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two pictures at 32 pixels."""
    small = [cv2.resize(each, (32, 32), interpolation=cv2.INTER_AREA).ravel() for each in (first_entry_of, second)]
    return float(np.corrcoef(*small)[0, 1])


def test_each_entry_decodes_in_its_format():
    assert {each.form for each in SITE} == set(KINDS) | {"missing", "page", "cut"}
    for each in SITE:
        if each.truth:
            picture = Image.open(BytesIO(body(each.number)))
            picture.load()
            assert picture.format == KINDS[each.form], each


def test_drawings_are_bit_identical_in_another_process_and_order():
    numbers = [first_entry_of(form).number for form in ("jpeg", "png", "webp", "alpha", "animated", "mirrored")]
    code = "import sys; from pipeline.demo.catalogue import entry; from pipeline.demo.files import file_of\n"
    code += "from hashlib import sha256\nfor n in sys.argv[1:]: print(sha256(file_of(entry(int(n)), 0)).hexdigest())"
    words = [sys.executable, "-c", code, *map(str, reversed(numbers))]
    said = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    assert said[::-1] == [sha256(body(number)).hexdigest() for number in numbers]


def test_other_seed_draws_another_picture():
    number = first_entry_of("jpeg").number
    assert file_of(entry(number), 1) != body(number)


def test_missing_entry_has_no_body_and_page_is_html():
    assert body(first_entry_of("missing").number) is None
    assert body(first_entry_of("page").number).startswith(b"<!DOCTYPE html>")


def test_cut_jpeg_is_truncated():
    picture = opened_image_of("cut")
    with pytest.raises(OSError, match="truncated"):
        picture.load()


def test_exact_copies_have_equal_bytes_and_near_copies_do_not():
    for each in SITE:
        if each.of is not None:
            assert (body(each.number) == body(each.of)) == (each.form == "again"), each


@pytest.mark.parametrize("form", ["recompressed", "resized", "mirrored"])
def test_near_copies_correlate_with_the_original(form):
    copy = first_entry_of(form)
    shown, original = pixels(body(copy.number)), pixels(body(copy.of))
    if form == "mirrored":
        assert correlation(shown, original) < 0.99
        shown = shown[:, ::-1]
    assert correlation(shown, original) > 0.99
    assert (shown.shape != original.shape) == (form == "resized")


def test_turned_jpeg_is_upright_after_exif_orientation():
    for each in (each for each in SITE if each.form == "turned"):
        picture = Image.open(BytesIO(body(each.number)))
        drawn = draw(each.subject, np.random.default_rng([0, each.number])).astype(np.float32)
        upright = np.asarray(ImageOps.exif_transpose(picture), np.float32)
        assert picture.getexif()[0x0112] in (3, 5, 6, 8)
        assert upright.shape == drawn.shape
        assert correlation(upright, drawn) > 0.99
        assert correlation(np.asarray(picture, np.float32), drawn) < 0.95


def test_special_forms_have_their_modes_and_sizes():
    assert opened_image_of("palette").mode == "P"
    assert opened_image_of("cmyk").mode == "CMYK"
    assert opened_image_of("animated").n_frames == 3
    assert opened_image_of("icon").size == (16, 16)
    wide, high = opened_image_of("banner").size
    assert wide / high > 6


def test_deep_pictures_have_16_bits_in_grey_and_colour():
    read = [cv2.imdecode(np.frombuffer(body(each.number), np.uint8), cv2.IMREAD_UNCHANGED) for each in DEEP]
    assert {each.dtype for each in read} == {np.dtype(np.uint16)}
    assert {each.ndim for each in read} == {2, 3}


def test_transparent_pixels_have_arbitrary_colours():
    shown = next(each for each in entries(700) if each.form == "alpha" and each.subject == "toadstool")
    rgba = np.asarray(Image.open(BytesIO(body(shown.number))))
    clear = rgba[rgba[..., 3] == 0]
    assert 0.2 < len(clear) / rgba[..., 3].size < 0.95
    assert (rgba[..., 3] == 255).any()
    assert clear[:, :3].std() > 50


def test_late_entry_is_a_jpeg():
    assert opened_image_of("late").format == "JPEG"
