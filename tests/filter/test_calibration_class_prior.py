import numpy as np
import pytest

from pipeline.filter.calibration import GRID, LabelCounts, infer_class_prior, logit, logit_offsets, shift_logits


@pytest.fixture
def unlabelled():
    return np.random.default_rng(0).beta(0.4, 0.6, 800)


def test_shifted_probabilities_have_the_class_prior_as_mean(unlabelled):
    wanted = np.array([0.05, 0.4, 0.9])
    found = logit_offsets(unlabelled, wanted)
    assert [shift_logits(unlabelled, offset).mean() for offset in found] == pytest.approx(wanted, abs=0.005)
    assert np.all(np.diff(found) > 0)


def test_logit_offset_is_zero_if_the_class_prior_is_the_mean(unlabelled):
    assert logit_offsets(unlabelled, np.array([unlabelled.mean()]))[0] == pytest.approx(0, abs=0.02)


def test_logit_offsets_are_finite_for_extreme_probabilities_and_one_square():
    for probabilities in (np.array([0.0, 1.0]), np.array([0.3])):
        assert np.all(np.isfinite(logit_offsets(probabilities, np.array([0.001, 0.5, 0.999]))))
        assert np.all(np.isfinite(logit(probabilities)))


def test_class_prior_without_random_labels_follows_the_scores(unlabelled):
    class_prior = infer_class_prior(unlabelled, 0.4, LabelCounts(unlabelled=800))
    assert class_prior.probabilities.sum() == pytest.approx(1)
    assert class_prior.mean == pytest.approx(unlabelled.mean(), abs=0.08)


def test_each_random_label_moves_the_class_prior_a_little(unlabelled):
    means, widths = [], []
    for on in range(2, 9):
        class_prior = infer_class_prior(
            unlabelled, 0.4, LabelCounts(random_on=on, random_off=12 - on, on=on, off=12 - on, unlabelled=788)
        )
        means.append(class_prior.mean)
        widths.append(np.sqrt(class_prior.probabilities @ (GRID - class_prior.mean) ** 2))
    assert np.all(np.diff(means) > 0)
    assert np.diff(means).max() < 0.05
    assert max(widths) < 0.06


def test_many_random_labels_override_the_scores(unlabelled):
    class_prior = infer_class_prior(
        unlabelled, 0.4, LabelCounts(random_on=360, random_off=40, on=360, off=40, unlabelled=400)
    )
    assert 0.8 < class_prior.mean < 0.93


def test_class_prior_stays_positive_if_most_on_target_squares_are_labelled(unlabelled):
    """140 squares are labelled on target by hand and few in the random sample: few of the rest are on target, but not
    none."""
    class_prior = infer_class_prior(
        unlabelled, 0.6, LabelCounts(random_on=4, random_off=26, on=140, off=100, unlabelled=760)
    )
    assert 0.02 < class_prior.mean < 0.35


def test_class_prior_draws_have_the_right_mean(unlabelled):
    class_prior = infer_class_prior(
        unlabelled, 0.4, LabelCounts(random_on=10, random_off=30, on=10, off=30, unlabelled=760)
    )
    drawn = class_prior.draw(4000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(class_prior.mean, abs=0.005)
