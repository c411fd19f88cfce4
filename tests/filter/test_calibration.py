import numpy as np
import pytest

from pipeline.filter.calibration import adjust_to_prior, calibrate, estimate_class_prior


def draw_scores(share: float, count: int = 20_000):
    """Draw scores whose log odds are 3 s for equal classes: N(0.75, 0.5) on target, N(-0.75, 0.5) off target."""
    random = np.random.default_rng(0)
    on = random.random(count) < share
    return random.normal(np.where(on, 0.75, -0.75), np.sqrt(0.5)), on


def test_calibrated_probabilities_match_frequencies():
    scores, on = draw_scores(0.4)
    found = calibrate(scores, on)(scores)
    for low in np.arange(0, 1, 0.2):
        here = (found >= low) & (found < low + 0.2)
        assert found[here].mean() == pytest.approx(on[here].mean(), abs=0.03)


def test_few_well_separated_labels_do_not_give_extreme_probabilities():
    found = calibrate(np.array([-2.0] * 5 + [2.0] * 5), np.array([False] * 5 + [True] * 5))(np.array([-2.0, 2.0]))
    assert 0.05 < found[0] < 0.3
    assert 0.7 < found[1] < 0.95


def test_calibration_is_increasing_even_for_reversed_labels():
    scores, on = draw_scores(0.5, count=200)
    assert np.all(np.diff(calibrate(scores, ~on)(np.linspace(-3, 3, 50))) > 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_class_prior_of_another_crawl_is_estimated_from_scores(share):
    scores, on = draw_scores(0.4)
    calibration = calibrate(scores, on)
    others, on_target = draw_scores(share)
    probabilities = calibration(others)
    found = estimate_class_prior(probabilities, calibration.prior)
    assert found == pytest.approx(share, abs=0.03)
    adjusted = adjust_to_prior(probabilities, calibration.prior, found)
    assert adjusted[adjusted > 0.7].mean() == pytest.approx(on_target[adjusted > 0.7].mean(), abs=0.05)


def test_adjusting_to_the_same_prior_changes_nothing():
    probabilities = np.array([0.1, 0.5, 0.9])
    assert adjust_to_prior(probabilities, 0.3, 0.3) == pytest.approx(probabilities)
    assert adjust_to_prior(np.array([0.5]), 0.5, 0.2) == pytest.approx([0.2])
