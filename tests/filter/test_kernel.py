from functools import partial

import numpy as np
import pytest

from pipeline.filter.features import select_rows
from pipeline.filter.kernel import (
    FOLDS,
    components,
    fit_components,
    fit_kernel,
    fit_machine,
    fit_propagated,
    propagate_labels,
)


@pytest.fixture
def views():
    random = np.random.default_rng(0)
    on = np.arange(30) % 3 == 0
    return tuple(random.normal(on[:, np.newaxis], 1, (30, width)).astype(np.float32) for width in (5, 9)), on


SHARES = 0.4, 0.6
EACH = np.arange(30)  # every picture a group of its own
RIDGE = 0.2


def train(kernel, pictures, on, groups=EACH):
    return fit_machine(kernel, pictures, on, groups, ridge=RIDGE)


def test_kernel_is_one_on_the_diagonal_and_decreases_with_distance(views):
    pictures, _ = views
    found = fit_kernel(pictures, SHARES)(pictures, pictures)
    assert np.diag(found) == pytest.approx(1, abs=1e-5)
    assert np.all(found <= 1 + 1e-9)
    assert np.allclose(found, found.T)


def test_kernel_machine_separates_on_from_off(views):
    pictures, on = views
    scores = train(fit_kernel(pictures, SHARES), pictures, on).machine(pictures)
    assert scores.shape == (30, 1 + FOLDS)
    assert np.all(scores[on].mean(axis=0) > scores[~on].mean(axis=0) + 0.5)


@pytest.mark.parametrize("size", [1, 3])
def test_out_of_fold_scores_equal_retraining_without_the_group(views, size):
    pictures, on = views
    kernel, groups = fit_kernel(pictures, SHARES), EACH // size
    fit = train(kernel, pictures, on, groups)
    target, share = np.where(on, 1.0, -1.0), np.where(on, on.mean(), 1 - on.mean())
    for place in range(0, 30, 7):
        others = groups != groups[place]
        system = kernel(select_rows(pictures, others), select_rows(pictures, others)) + np.diag(
            2 * RIDGE * share[others]
        )
        weights = np.linalg.solve(system, target[others])
        alone = kernel(select_rows(pictures, place == EACH), select_rows(pictures, others)) @ weights
        assert fit.out_of_fold[place] == pytest.approx(alone[0])


def test_jackknife_machines_equal_retraining_without_their_fold(views):
    pictures, on = views
    kernel = fit_kernel(pictures, SHARES)
    fit = train(kernel, pictures, on)
    other = on.copy()
    other[2::FOLDS] = ~other[2::FOLDS]
    assert np.all(fit.machine.weights[2::FOLDS, 1 + 2] == 0)
    assert not np.allclose(fit.machine.weights[:, 0], train(kernel, pictures, other).machine.weights[:, 0])


def test_propagated_out_of_fold_scores_do_not_depend_on_their_own_labels(views):
    """What is said of a group must not change when the labels within it are exchanged."""
    pictures, on = views
    kernel, labelled = fit_kernel(pictures, SHARES), EACH[::2]
    propagate = partial(propagate_labels, pictures[1])

    def left_out(labels):
        return fit_propagated(
            kernel, pictures, labelled, labels, np.arange(15) // 2, ridge=RIDGE, propagate=propagate
        ).out_of_fold

    given, exchanged = on[labelled], on[labelled].copy()
    assert given[0] != given[1]
    exchanged[[0, 1]] = given[[1, 0]]
    assert left_out(given)[:2] == pytest.approx(left_out(exchanged)[:2])
    assert left_out(given)[2:] != pytest.approx(left_out(exchanged)[2:])


def test_propagated_machine_separates_unlabelled_squares(views):
    pictures, on = views
    kernel, labelled = fit_kernel(pictures, SHARES), EACH[::2]
    propagate = partial(propagate_labels, pictures[1])
    fit = fit_propagated(kernel, pictures, labelled, on[labelled], np.arange(15), ridge=RIDGE, propagate=propagate)
    scores = fit.machine(select_rows(pictures, EACH[1::2]))[:, 0]
    assert scores[on[1::2]].mean() > scores[~on[1::2]].mean()


def test_components_have_unit_variance_and_extend_from_landmarks(views):
    pictures, _ = views
    kernel = fit_kernel(pictures, SHARES)
    whole, some = (components(kernel, pictures, landmarks=count, count=4) for count in (30, 20))
    assert whole.std(axis=0) == pytest.approx(np.ones(4), abs=0.05)
    assert some.shape == (30, 4)
    assert np.all(np.isfinite(some))


def test_principal_components_preserve_kernel_distances(views):
    pictures, _ = views
    similarity = fit_kernel(pictures, SHARES)(pictures, pictures)
    found = fit_components(similarity, 30)(similarity)
    apart = ((found[0] - found[1:]) ** 2).sum(axis=1)
    assert apart == pytest.approx(2 - 2 * similarity[0, 1:], abs=1e-3)


def test_identical_squares_give_finite_scores():
    same = tuple(np.ones((6, width), np.float32) for width in (5, 9))
    on, kernel = np.array([True, True, True, False, False, False]), fit_kernel(same, SHARES)
    assert np.all(np.isfinite(train(kernel, same, on, np.arange(6)).machine(same)))
    assert np.all(np.isfinite(components(kernel, same, landmarks=6, count=3)))
    propagate = partial(propagate_labels, same[0])
    fit = fit_propagated(kernel, same, np.arange(6), on, np.arange(6), ridge=RIDGE, propagate=propagate)
    assert np.all(np.isfinite(fit.machine(same)))
