import cv2
import pytest

from pipeline.report import report


@pytest.fixture
def png(tmp_path):
    return tmp_path / "figure.png"


def colours(path) -> int:
    """The number of colours of an image: an empty plot has few."""
    pixels = cv2.imread(str(path))
    return len({tuple(pixel) for row in pixels for pixel in row})


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.5])
def test_plots_accept_any_threshold_or_none(png, threshold):
    report.precision_recall([True, False, True, False], [0.9, 0.8, 0.6, 0.1], threshold, png)
    report.scores({"kept": [0.9, 0.6], "rejected": [0.1], "unsure": []}, threshold, png)
    assert colours(png) > 2


@pytest.mark.parametrize("count", [1, 4, 200])
def test_reliability_plot_accepts_few_and_many_labels(png, count):
    probabilities = [index / count for index in range(count)]
    report.reliability([score > 0.5 for score in probabilities], probabilities, png)
    assert colours(png) > 2
