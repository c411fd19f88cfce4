import numpy as np
import pytest

from pipeline.filter.threshold import MIN_RECALL, choose_threshold, evaluate_threshold


def test_lowest_threshold_with_the_precision_is_chosen():
    threshold = choose_threshold(np.array([0.6, 1.0, 0.1, 0.9]), 0.8, 0.0)
    assert threshold.threshold == 0.5
    assert threshold.precision == pytest.approx(2.5 / 3)
    assert threshold.recall == pytest.approx(2.5 / 2.6)


def test_higher_precision_keeps_fewer_squares():
    probabilities = np.linspace(0, 1, 101)
    lines = [choose_threshold(probabilities, wish, 0.05) for wish in (0.8, 0.9, 0.95)]
    assert lines[0].threshold < lines[1].threshold < lines[2].threshold
    assert all(threshold.precision >= wish - 1e-9 for threshold, wish in zip(lines, (0.8, 0.9, 0.95), strict=True))


def test_squares_below_one_half_are_not_kept():
    threshold = choose_threshold(np.array([0.999] * 100 + [0.3] * 3), 0.9, 0.0)
    assert threshold.threshold == 0.5
    assert threshold.precision == pytest.approx(0.999)


@pytest.mark.parametrize("band", [0.0, 0.05, 0.3])
def test_only_scores_above_the_band_are_kept(band):
    probabilities = np.linspace(0, 1, 1001)
    threshold = choose_threshold(probabilities, 0.9, band)
    assert threshold.low == pytest.approx(threshold.threshold - band)
    assert threshold.high == pytest.approx(threshold.threshold + band)
    assert threshold.precision == pytest.approx(probabilities[probabilities >= threshold.high].mean())
    assert threshold.precision >= 0.9


def test_band_at_the_top_still_keeps_squares():
    threshold = evaluate_threshold(np.array([0.995]), 0.97, 0.2)
    assert threshold.high == 0.99
    assert evaluate_threshold(np.array([1.0]), 1.0, 0.2).high == 1.0


def test_precision_out_of_reach_keeps_the_best_squares():
    probabilities = np.linspace(0, 0.7, 200)
    threshold = choose_threshold(probabilities, 0.95, 0.0)
    kept = probabilities[probabilities >= threshold.high]
    assert threshold.precision == pytest.approx(kept.mean())
    assert threshold.precision < 0.95
    assert MIN_RECALL <= threshold.recall < MIN_RECALL + 0.02


def test_threshold_without_squares_keeps_nothing():
    assert choose_threshold(np.array([]), 0.95, 0.05).precision is None


def test_given_threshold_is_evaluated():
    threshold = evaluate_threshold(np.array([0.2, 0.8, 0.9]), 0.8, 0.0)
    assert (threshold.threshold, threshold.precision) == (0.8, pytest.approx(0.85))
    assert evaluate_threshold(np.array([0.2]), 0.8, 0.0).precision is None


@pytest.mark.parametrize("band", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("score", [0.0, 0.01, 0.049, 0.3])
def test_threshold_exists_if_no_square_is_likely_on_target(score, band):
    threshold = choose_threshold(np.full(100, score), 0.95, band)
    assert threshold.low <= threshold.threshold <= threshold.high
    assert threshold.precision is None or threshold.precision == pytest.approx(score)
