import numpy as np
import pytest

from pipeline.filter.kernel import components, fit_kernel, fit_machine
from pipeline.filter.views import pick


@pytest.fixture
def views():
    random = np.random.default_rng(0)
    on = np.arange(30) % 3 == 0
    return tuple(random.normal(on[:, np.newaxis], 1, (30, width)).astype(np.float32) for width in (5, 9)), on


def test_likeness_is_one_to_itself_and_falls_with_distance(views):
    pictures, _ = views
    found = fit_kernel(pictures)(pictures, pictures)
    assert np.diag(found) == pytest.approx(1, abs=1e-6)
    assert np.all(found <= 1 + 1e-9)
    assert np.allclose(found, found.T)


def test_it_tells_on_from_off(views):
    pictures, on = views
    scores = fit_machine(fit_kernel(pictures), pictures, on).machine(pictures)
    assert scores[on].mean() > scores[~on].mean() + 0.5


def test_left_out_scores_are_those_of_a_machine_trained_without_the_picture(views):
    pictures, on = views
    kernel = fit_kernel(pictures)
    fit = fit_machine(kernel, pictures, on)
    target, share = np.where(on, 1.0, -1.0), np.where(on, on.mean(), 1 - on.mean())
    for place in range(0, 30, 7):
        others = np.arange(30) != place
        system = kernel(pick(pictures, others), pick(pictures, others)) + np.diag(0.4 * share[others])
        weights = np.linalg.solve(system, target[others])
        alone = kernel(pick(pictures, ~others), pick(pictures, others)) @ weights
        assert fit.left_out[place] == pytest.approx(alone[0])


def test_components_are_of_even_size_and_carry_over_from_landmarks(views):
    pictures, _ = views
    kernel = fit_kernel(pictures)
    whole, some = (components(kernel, pictures, landmarks=count, count=4) for count in (30, 20))
    assert whole.std(axis=0) == pytest.approx(np.ones(4), abs=0.05)
    assert some.shape == (30, 4)
    assert np.all(np.isfinite(some))


def test_pictures_that_are_all_alike_are_no_trouble():
    same = tuple(np.ones((6, width), np.float32) for width in (5, 9))
    on = np.array([True, True, True, False, False, False])
    assert np.all(np.isfinite(fit_machine(fit_kernel(same), same, on).machine(same)))
    assert np.all(np.isfinite(components(fit_kernel(same), same, landmarks=6, count=3)))
