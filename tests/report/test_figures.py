import cv2
import pytest

from pipeline.report import figures


@pytest.fixture
def png(tmp_path):
    return tmp_path / "figure.png"


def colours(path) -> int:
    """How many colours a picture has: an empty plot has few."""
    pixels = cv2.imread(str(path))
    return len({tuple(pixel) for row in pixels for pixel in row})


def test_losses_are_drawn_even_from_one_epoch_with_a_gap(png):
    figures.losses([{"epoch": 1, "d_loss": 1.0, "g_loss": None}], png)
    assert colours(png) > 2


def test_probabilities_are_drawn(png):
    figures.probabilities([{"epoch": n, "d_real": 0.7, "d_fake": 0.3, "d_accuracy": 0.9} for n in (1, 2)], png)
    assert colours(png) > 2


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.5])
def test_the_chosen_threshold_may_lie_anywhere_or_nowhere(png, threshold):
    figures.precision_recall([True, False, True, False], [0.9, 0.8, 0.6, 0.1], threshold, png)
    figures.scores({"kept": [0.9, 0.6], "rejected": [0.1], "unsure": []}, threshold, png)
    assert colours(png) > 2


@pytest.mark.parametrize("count", [1, 4, 200])
def test_reliability_is_drawn_from_few_labels_and_many(png, count):
    said = [place / count for place in range(count)]
    figures.reliability([score > 0.5 for score in said], said, png)
    assert colours(png) > 2
