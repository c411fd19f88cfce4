from pathlib import Path

import numpy as np
import pytest

from pipeline.images import overview as module
from pipeline.images.normalize import normalize
from pipeline.images.overview import SIDE, RejectedPicture, placeholder, thumbnail
from pipeline.images.png import decode_png
from pipeline.images.prepare import Picture
from pipeline.images.rejected import TOO_LONG, TOO_MANY_PIXELS, TOO_SMALL, TRUNCATED, UNKNOWN_FORMAT
from pipeline.options import NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import digest

OPTIONS = NormalizeOptions(processes=1)


def contact_sheets(download: Path, folder: Path, **options) -> dict[str, np.ndarray]:
    folder.mkdir()
    options = NormalizeOptions(processes=1, **options)
    normalize(options, download=download, folder=folder, progress=silent, should_stop=never)
    return {path.stem: decode_png(path.read_bytes()) for path in (folder / "sheets").iterdir()}


@pytest.fixture
def picture_of(tmp_path):
    """Make a picture of some bytes."""

    def make(body: bytes) -> Picture:
        path = tmp_path / digest.of_bytes(body)
        path.write_bytes(body)
        return Picture(path.name, path.parent)

    return make


def test_sheets_show_kept_duplicates_and_each_reason(draw, encode, make_download, tmp_path):
    bodies = [encode(draw(seed)) for seed in range(3)]
    bodies += [encode(draw(0), "JPEG", quality=90), encode(draw(7, 20, 20)), encode(draw(8, 20, 20)), b"text"]
    found = contact_sheets(make_download(bodies), tmp_path / "out")
    assert {name: sheet.shape for name, sheet in found.items()} == {
        "kept": (64, 3 * 66 - 2, 3),
        "duplicates": (64, 128, 3),
        "too-small": (64, 2 * 66 - 2, 3),
        "unknown-format": (64, 64, 3),
    }
    copy, kept = np.split(found["duplicates"].astype(int), 2, axis=1)
    assert 0 < np.abs(copy - kept).mean() < 6


@pytest.mark.parametrize(("options", "side"), [({"size": 16, "colour": "grey"}, 16), ({"size": 128}, 64)])
def test_squares_are_shown_at_most_at_thumbnail_size(draw, encode, make_download, tmp_path, options, side):
    download = make_download([encode(draw(1)), encode(draw(2)), encode(draw(2), "JPEG")])
    found = contact_sheets(download, tmp_path / "out", **options)
    assert set(found) == {"kept", "duplicates"}
    assert found["kept"].shape[:2] == (side, 2 * side + 2)


def test_sheet_shows_a_limited_number_of_pictures_first_by_id(draw, encode, make_download, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 2)
    bodies = [encode(draw(seed)) for seed in range(4)] + [encode(draw(seed, 20, 20)) for seed in range(5)]
    found = contact_sheets(make_download(bodies), tmp_path / "out")
    assert found["kept"].shape == found["too-small"].shape == (64, 130, 3)
    first = min(digest.of_bytes(body) for body in bodies[:4])
    square = decode_png((tmp_path / "out" / "images" / f"{first}.png").read_bytes())
    assert np.array_equal(found["kept"][:, :64], square)


def test_rejected_picture_is_shown_whole_on_the_background(draw, encode, picture_of):
    wide = picture_of(encode(np.full((16, 320, 3), (10, 20, 30), np.uint8)))
    shown = thumbnail(RejectedPicture(wide, TOO_LONG), options=OPTIONS)
    assert shown.shape == (SIDE, SIDE, 3)
    assert (shown[31:33] == (10, 20, 30)).all()
    assert (shown[:29] == 255).all()
    small = picture_of(encode(draw(1, 10, 10)))
    assert images_differ(thumbnail(RejectedPicture(small, TOO_SMALL), options=OPTIONS), placeholder(small))


def test_truncated_picture_is_shown_as_far_as_it_decodes(draw, encode, picture_of):
    whole = encode(draw(1, 400, 400), "JPEG")
    cut = picture_of(whole[: len(whole) // 2])
    shown = thumbnail(RejectedPicture(cut, TRUNCATED), options=OPTIONS).astype(int)
    expected = thumbnail(RejectedPicture(picture_of(whole), TRUNCATED), options=OPTIONS)
    assert np.abs(shown - expected)[:20].mean() < 3
    assert np.abs(shown - expected)[50:].mean() > 10


def test_undecodable_picture_is_shown_as_a_placeholder(draw, encode, picture_of):
    text, picture = picture_of(b"<html>"), picture_of(encode(draw(1)))
    assert np.array_equal(thumbnail(RejectedPicture(text, UNKNOWN_FORMAT), options=OPTIONS), placeholder(text))
    assert np.array_equal(thumbnail(RejectedPicture(picture, TOO_MANY_PIXELS), options=OPTIONS), placeholder(picture))
    assert images_differ(placeholder(text), placeholder(picture))


def images_differ(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and not np.array_equal(one, other)
