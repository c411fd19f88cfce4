import numpy as np
import pytest

from pipeline.images.crop import fit_to_square
from pipeline.images.raster import resize
from pipeline.options import NormalizeOptions

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def options_with(**given) -> NormalizeOptions:
    return NormalizeOptions(size=32, **given)


@pytest.fixture
def banner() -> np.ndarray:
    """A red, a green and a blue square side by side."""
    picture = np.empty((60, 180, 3), np.uint8)
    picture[:, :60], picture[:, 60:120], picture[:, 120:] = RED, GREEN, BLUE
    return picture


def test_crop_keeps_the_centre_only(banner):
    assert (fit_to_square(banner, options_with(fit="crop")) == GREEN).all()
    assert (fit_to_square(banner.transpose(1, 0, 2), options_with(fit="crop")) == GREEN).all()


def test_pad_keeps_the_whole_picture_on_the_background(banner):
    square = fit_to_square(banner, options_with(fit="pad", background="#0a141e"))
    assert square.shape == (32, 32, 3)
    assert (square[:10] == (10, 20, 30)).all()
    assert (square[-10:] == (10, 20, 30)).all()
    assert [tuple(square[16, column]) for column in (2, 16, 29)] == [RED, GREEN, BLUE]


def test_squash_stretches_the_whole_picture(banner):
    square = fit_to_square(banner, options_with(fit="squash"))
    assert [tuple(square[row, column]) for row, column in ((0, 2), (16, 16), (31, 29))] == [RED, GREEN, BLUE]


def test_grey_has_one_channel_of_luma(banner):
    square = fit_to_square(banner, options_with(colour="grey"))
    assert square.shape == (32, 32, 1)
    assert (square == 150).all()  # 0.587 of 255


def test_shrinking_averages_every_pixel():
    checks = np.zeros((320, 320, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    assert np.abs(resize(checks, 32, 32).astype(int) - 128).max() <= 1
    dot = np.zeros((320, 320, 3), np.uint8)
    dot[5, 5] = 200
    assert resize(dot, 32, 32)[0, 0, 0] == 2


def test_enlarging_is_smooth():
    ramp = np.repeat(np.arange(0, 256, 15, dtype=np.uint8)[np.newaxis, :, np.newaxis], 18, axis=0).repeat(3, axis=2)
    large = resize(ramp, 180, 180)[90, :, 0].astype(int)
    assert large.shape == (180,)
    assert np.abs(np.diff(large)).max() <= 4


@pytest.mark.parametrize("fitting", ["crop", "pad", "squash"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (31, 33), (32, 32), (33, 31), (20, 1000)])
def test_every_aspect_ratio_becomes_a_square(fitting, shape):
    square = fit_to_square(np.full((*shape, 3), 9, np.uint8), options_with(fit=fitting, background="#090909"))
    assert square.shape == (32, 32, 3)
    assert (square == 9).all()
