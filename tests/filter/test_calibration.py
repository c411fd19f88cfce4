import numpy as np
import pytest

from pipeline.filter.calibration import calibrate, estimate_share, shift


def sample(share: float, count: int = 20_000):
    """Scores of which the log odds are 3 s at a share of one half: N(0.75, 0.5) on target, N(-0.75, 0.5) off."""
    random = np.random.default_rng(0)
    on = random.random(count) < share
    return random.normal(np.where(on, 0.75, -0.75), np.sqrt(0.5)), on


def test_probabilities_are_right():
    scores, on = sample(0.4)
    found = calibrate(scores, on)(scores)
    for low in np.arange(0, 1, 0.2):
        here = (found >= low) & (found < low + 0.2)
        assert found[here].mean() == pytest.approx(on[here].mean(), abs=0.03)


def test_a_few_well_separated_labels_do_not_pass_for_certainty():
    found = calibrate(np.array([-2.0] * 5 + [2.0] * 5), np.array([False] * 5 + [True] * 5))(np.array([-2.0, 2.0]))
    assert 0.05 < found[0] < 0.3
    assert 0.7 < found[1] < 0.95


def test_a_higher_score_never_means_a_lower_probability():
    scores, on = sample(0.5, count=200)
    assert np.all(np.diff(calibrate(scores, ~on)(np.linspace(-3, 3, 50))) > 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_share_of_another_crawl_is_found_from_its_scores_alone(share):
    scores, on = sample(0.4)
    calibration = calibrate(scores, on)
    others, truth = sample(share)
    probabilities = calibration(others)
    found = estimate_share(probabilities, calibration.prior)
    assert found == pytest.approx(share, abs=0.03)
    moved = shift(probabilities, calibration.prior, found)
    assert moved[moved > 0.7].mean() == pytest.approx(truth[moved > 0.7].mean(), abs=0.05)


def test_shifting_to_the_same_share_changes_nothing():
    probabilities = np.array([0.1, 0.5, 0.9])
    assert shift(probabilities, 0.3, 0.3) == pytest.approx(probabilities)
    assert shift(np.array([0.5]), 0.5, 0.2) == pytest.approx([0.2])
