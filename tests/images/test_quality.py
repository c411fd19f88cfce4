import cv2
import numpy as np
import pytest

from pipeline.images.quality import SIZE, Quality, assess
from pipeline.options import NormalizeOptions


def scores_of(square: np.ndarray, width: int = 64, height: int = 64) -> Quality:
    return assess(square, width=width, height=height)


def uniform_square(value: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


@pytest.fixture
def sharp_square() -> np.ndarray:
    """Noise over all levels: sharp, with bright and dark pixels and much information."""
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


def test_good_picture_has_high_scores(sharp_square):
    assert min(scores_of(sharp_square)) > 0.8


def test_blur_lowers_the_score_blurry_only(draw):
    detailed = np.clip(draw(1, SIZE, SIZE) + np.random.default_rng(1).normal(0, 15, (SIZE, SIZE, 3)), 0, 255)
    blurred = [cv2.GaussianBlur(detailed.astype(np.uint8), (0, 0), sigma) for sigma in (0.1, 1, 2, 4)]
    found = [scores_of(square) for square in blurred]
    assert found[0].blurry > 0.9
    assert found[-1].blurry < 0.2
    assert [each.blurry for each in found] == sorted((each.blurry for each in found), reverse=True)
    assert abs(found[0].dark - found[-1].dark) < 0.2


def test_dark_and_light_pictures_have_low_scores(sharp_square):
    assert scores_of(sharp_square // 16).dark < 0.1
    assert scores_of(sharp_square // 16).light > 0.9
    assert scores_of(255 - sharp_square // 16).light < 0.1
    assert scores_of(255 - sharp_square // 16).dark > 0.9


def test_partly_dark_or_light_pictures_have_high_scores():
    night, page = uniform_square(10), uniform_square(255)
    night[:10, :10], page[20:40, 20:40] = 220, 30
    assert scores_of(night).dark > 0.8
    assert scores_of(page).light > 0.8


def test_uniform_picture_has_no_information():
    assert scores_of(uniform_square(0)) == Quality(blurry=0, dark=0, light=1, low_information=0, odd_aspect_ratio=1)
    assert scores_of(uniform_square(255)) == Quality(blurry=0, dark=1, light=0, low_information=0, odd_aspect_ratio=1)
    halves = uniform_square(0)
    halves[:32] = 255
    assert scores_of(halves).low_information == 0.125  # one bit of eight


@pytest.mark.parametrize(("width", "height", "expected"), [(100, 100, 1), (300, 100, 0.3333), (100, 400, 0.25)])
def test_aspect_ratio_is_that_of_the_original(sharp_square, width, height, expected):
    assert scores_of(sharp_square, width, height).odd_aspect_ratio == expected


def test_issue_is_the_first_score_below_its_option():
    bad = Quality(blurry=0, dark=0.1, light=0, low_information=0, odd_aspect_ratio=0)
    assert bad.issue(NormalizeOptions()) == ""
    assert bad.issue(NormalizeOptions(dark=0.2, low_information=0.1)) == "dark"
    assert bad.issue(NormalizeOptions(dark=0.1, low_information=0.1)) == "low_information"


def test_each_score_has_an_option():
    assert set(Quality._fields) <= set(vars(NormalizeOptions()))
