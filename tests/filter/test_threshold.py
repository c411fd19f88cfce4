import numpy as np
import pytest

from pipeline.filter.threshold import LEAST_RECALL, choose_threshold, evaluate_threshold


def test_the_lowest_threshold_that_reaches_the_precision():
    line = choose_threshold(np.array([0.6, 1.0, 0.1, 0.9]), 0.8, 0.0)
    assert line.threshold == 0.5
    assert line.precision == pytest.approx(2.5 / 3)
    assert line.recall == pytest.approx(2.5 / 2.6)


def test_more_precision_keeps_fewer():
    probabilities = np.linspace(0, 1, 101)
    lines = [choose_threshold(probabilities, wish, 0.05) for wish in (0.8, 0.9, 0.95)]
    assert lines[0].threshold < lines[1].threshold < lines[2].threshold
    assert all(line.precision >= wish - 1e-9 for line, wish in zip(lines, (0.8, 0.9, 0.95), strict=True))


def test_a_picture_that_is_likely_off_is_not_kept_to_fill_up():
    line = choose_threshold(np.array([0.999] * 100 + [0.3] * 3), 0.9, 0.0)
    assert line.threshold == 0.5
    assert line.precision == pytest.approx(0.999)


@pytest.mark.parametrize("band", [0.0, 0.05, 0.3])
def test_the_band_lies_around_the_threshold_and_only_what_is_above_it_is_kept(band):
    probabilities = np.linspace(0, 1, 1001)
    line = choose_threshold(probabilities, 0.9, band)
    assert line.low == pytest.approx(line.threshold - band)
    assert line.high == pytest.approx(line.threshold + band)
    assert line.precision == pytest.approx(probabilities[probabilities >= line.high].mean())
    assert line.precision >= 0.9


def test_a_band_at_the_top_leaves_something_to_keep():
    line = evaluate_threshold(np.array([0.995]), 0.97, 0.2)
    assert line.high == 0.99
    assert evaluate_threshold(np.array([1.0]), 1.0, 0.2).high == 1.0


def test_out_of_reach_keeps_the_best_and_says_so():
    probabilities = np.linspace(0, 0.7, 200)
    line = choose_threshold(probabilities, 0.95, 0.0)
    kept = probabilities[probabilities >= line.high]
    assert line.precision == pytest.approx(kept.mean())
    assert line.precision < 0.95
    assert LEAST_RECALL <= line.recall < LEAST_RECALL + 0.02


def test_no_pictures_are_no_trouble():
    assert choose_threshold(np.array([]), 0.95, 0.05).precision is None


def test_a_given_threshold_is_judged():
    line = evaluate_threshold(np.array([0.2, 0.8, 0.9]), 0.8, 0.0)
    assert (line.threshold, line.precision) == (0.8, pytest.approx(0.85))
    assert evaluate_threshold(np.array([0.2]), 0.8, 0.0).precision is None


@pytest.mark.parametrize("band", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("score", [0.0, 0.01, 0.049, 0.3])
def test_where_nothing_is_likely_on_target_there_is_a_line_all_the_same(score, band):
    line = choose_threshold(np.full(100, score), 0.95, band)
    assert line.low <= line.threshold <= line.high
    assert line.precision is None or line.precision == pytest.approx(score)
