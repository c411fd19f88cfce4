import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.gan import video
from pipeline.gan.video import animate
from pipeline.images.contact_sheet import write_png


@pytest.fixture
def make_sheets(tmp_path):
    """Writes sheets of the epochs 0, 10, 20 ..., each lighter than the one before; returns their folder."""

    def make(count: int, *, side: int = 300, channels: int = 3):
        folder = tmp_path / "samples"
        folder.mkdir()
        for number in range(count):
            write_png(
                folder / f"epoch-{10 * number:04d}.png", np.full((side, side, channels), 40 + 6 * number, np.uint8)
            )
        write_png(folder / "reals.png", np.full((side, side, channels), 255, np.uint8))
        return folder

    return make


def gif(path) -> Image.Image:
    return Image.open(path / "training.gif")


def frames_of_mp4(path) -> int:
    return int(cv2.VideoCapture(str(path / "training.mp4")).get(cv2.CAP_PROP_FRAME_COUNT))


@pytest.mark.parametrize("channels", [1, 3])
def test_animate_has_a_frame_per_sheet_and_holds_the_last(make_sheets, tmp_path, channels):
    assert animate(make_sheets(4, channels=channels), tmp_path) == 4
    film, greys, times = gif(tmp_path), [], []
    for number in range(film.n_frames):
        film.seek(number)
        times.append(film.info["duration"])
        greys.append(int(np.asarray(film.convert("RGB"))[5, 5, 0]))
    assert times == [500, 500, 500, 2500]
    assert np.abs(np.subtract(greys, [40, 46, 52, 58])).max() <= 2
    assert frames_of_mp4(tmp_path) == 4 + 4


def test_animate_captions_each_sheet_with_its_epoch(make_sheets, tmp_path):
    animate(make_sheets(3), tmp_path)
    film, strips = gif(tmp_path), []
    assert film.size == (300, 316)
    for number in range(3):
        film.seek(number)
        strips.append(np.asarray(film.convert("L"))[300:])
    assert all((strip < 150).sum() > 20 for strip in strips)  # ink
    assert not np.array_equal(strips[1], strips[2])


def test_animate_thins_a_long_training_evenly(make_sheets, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "MAX_FRAMES", 9)
    monkeypatch.setattr(video, "MAX_GIF_FRAMES", 5)
    assert animate(make_sheets(33), tmp_path) == 9
    film, greys = gif(tmp_path), []
    for number in range(film.n_frames):
        film.seek(number)
        greys.append(int(np.asarray(film.convert("RGB"))[5, 5, 0]))
    assert np.abs(np.subtract(greys, [40, 88, 136, 184, 232])).max() <= 2


def test_animate_shrinks_large_sheets(make_sheets, tmp_path):
    animate(make_sheets(2, side=1500), tmp_path)
    assert gif(tmp_path).size == (720, 768)


def test_animate_without_sheets_writes_nothing(tmp_path):
    assert animate(tmp_path, tmp_path) == 0
    assert not list(tmp_path.iterdir())
