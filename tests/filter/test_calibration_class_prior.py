import numpy as np
import pytest

from pipeline.filter.calibration import GRID, Counts, infer_class_prior, logit, move, offsets


@pytest.fixture
def free():
    return np.random.default_rng(0).beta(0.4, 0.6, 800)


def test_moved_probabilities_have_the_share_as_their_mean(free):
    wanted = np.array([0.05, 0.4, 0.9])
    found = offsets(free, wanted)
    assert [move(free, offset).mean() for offset in found] == pytest.approx(wanted, abs=0.005)
    assert np.all(np.diff(found) > 0)


def test_where_the_share_is_as_the_probabilities_say_they_stay(free):
    assert offsets(free, np.array([free.mean()]))[0] == pytest.approx(0, abs=0.02)


def test_certainties_and_a_single_picture_are_no_trouble():
    for probabilities in (np.array([0.0, 1.0]), np.array([0.3])):
        assert np.all(np.isfinite(offsets(probabilities, np.array([0.001, 0.5, 0.999]))))
        assert np.all(np.isfinite(logit(probabilities)))


def test_without_fair_labels_the_scores_decide(free):
    share = infer_class_prior(free, 0.4, Counts(free=800))
    assert share.likely.sum() == pytest.approx(1)
    assert share.mean == pytest.approx(free.mean(), abs=0.08)


def test_fair_labels_pull_the_share_and_make_it_surer_a_little_with_each(free):
    means, widths = [], []
    for on in range(2, 9):
        share = infer_class_prior(free, 0.4, Counts(fair_on=on, fair_off=12 - on, on=on, off=12 - on, free=788))
        means.append(share.mean)
        widths.append(np.sqrt(share.likely @ (GRID - share.mean) ** 2))
    assert np.all(np.diff(means) > 0)
    assert np.diff(means).max() < 0.05
    assert max(widths) < 0.06


def test_many_fair_labels_outdo_the_scores(free):
    share = infer_class_prior(free, 0.4, Counts(fair_on=360, fair_off=40, on=360, off=40, free=400))
    assert 0.8 < share.mean < 0.93


def test_labels_that_were_chosen_for_being_on_do_not_leave_fewer_among_the_rest_than_there_are(free):
    """140 labelled on by hand and a fair sample with few: the rest has few, but not none."""
    share = infer_class_prior(free, 0.6, Counts(fair_on=4, fair_off=26, on=140, off=100, free=760))
    assert 0.02 < share.mean < 0.35


def test_draws_are_as_likely_as_they_should_be(free):
    share = infer_class_prior(free, 0.4, Counts(fair_on=10, fair_off=30, on=10, off=30, free=760))
    drawn = share.draw(4000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(share.mean, abs=0.005)
