import cv2
import numpy as np
import pytest

from pipeline.images.quality import SIZE, Quality, assess
from pipeline.options import NormalizeOptions


def scores(square: np.ndarray, width: int = 64, height: int = 64) -> Quality:
    return assess(square, width=width, height=height)


def level(value: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


@pytest.fixture
def sharp() -> np.ndarray:
    """Noise over all levels: sharp, bright and dark, full of information."""
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


def test_a_good_picture_scores_high_in_everything(sharp):
    assert min(scores(sharp)) > 0.8


def test_blur_lowers_its_score_step_by_step_and_no_other_much(draw):
    detailed = np.clip(draw(1, SIZE, SIZE) + np.random.default_rng(1).normal(0, 15, (SIZE, SIZE, 3)), 0, 255)
    blurred = [cv2.GaussianBlur(detailed.astype(np.uint8), (0, 0), sigma) for sigma in (0.1, 1, 2, 4)]
    found = [scores(square) for square in blurred]
    assert found[0].blurry > 0.9
    assert found[-1].blurry < 0.2
    assert [each.blurry for each in found] == sorted((each.blurry for each in found), reverse=True)
    assert abs(found[0].dark - found[-1].dark) < 0.2


def test_darkness_and_lightness(sharp):
    assert scores(sharp // 16).dark < 0.1
    assert scores(sharp // 16).light > 0.9
    assert scores(255 - sharp // 16).light < 0.1
    assert scores(255 - sharp // 16).dark > 0.9


def test_a_light_on_a_dark_picture_and_a_figure_on_a_white_page_are_neither():
    night, page = level(10), level(255)
    night[:10, :10], page[20:40, 20:40] = 220, 30
    assert scores(night).dark > 0.8
    assert scores(page).light > 0.8


def test_one_level_holds_no_information():
    assert scores(level(0)) == Quality(blurry=0, dark=0, light=1, low_information=0, odd_aspect_ratio=1)
    assert scores(level(255)) == Quality(blurry=0, dark=1, light=0, low_information=0, odd_aspect_ratio=1)
    halves = level(0)
    halves[:32] = 255
    assert scores(halves).low_information == 0.125  # one bit of eight


@pytest.mark.parametrize(("width", "height", "expected"), [(100, 100, 1), (300, 100, 0.3333), (100, 400, 0.25)])
def test_the_aspect_is_the_originals(sharp, width, height, expected):
    assert scores(sharp, width, height).odd_aspect_ratio == expected


def test_the_first_score_below_its_option_is_the_issue_and_by_default_none_is():
    bad = Quality(blurry=0, dark=0.1, light=0, low_information=0, odd_aspect_ratio=0)
    assert bad.issue(NormalizeOptions()) == ""
    assert bad.issue(NormalizeOptions(dark=0.2, low_information=0.1)) == "dark"
    assert bad.issue(NormalizeOptions(dark=0.1, low_information=0.1)) == "low_information"


def test_every_score_has_an_option_and_a_reason():
    from pipeline.images import rejected

    reasons = {value for name, value in vars(rejected).items() if name.isupper()}
    assert set(Quality._fields) <= reasons & set(vars(NormalizeOptions()))
