import numpy as np
import pytest

from pipeline.filter.kernel import fit_kernel, fit_machine
from pipeline.filter.learn import _hint, learning_curve


def fit(apart: float, count: int):
    """A kernel machine trained on two clouds of points."""
    random = np.random.default_rng(0)
    on = np.arange(count) % 2 == 0
    views = (random.normal(apart * on[:, np.newaxis], 1, (count, 4)).astype(np.float32),)
    groups = np.arange(count)
    return fit_machine(fit_kernel(views, (1.0,)), views, on, groups, ridge=0.2), on, groups


@pytest.mark.parametrize("apart", [0.7, 1.5])
def test_learning_curve_rises_with_labels(apart):
    found = learning_curve(*fit(apart, 120), ridge=0.2, seed=0)
    labels, precisions = zip(*found["curve"], strict=True)
    assert labels == (30, 60, 90, 120)
    assert precisions[-1] > precisions[0]
    assert f"{precisions[-1]:.3f} from 120" in found["hint"]


def test_learning_curve_of_an_easy_subject_is_enough():
    found = learning_curve(*fit(6.0, 80), ridge=0.2, seed=0)
    assert found["enough"]
    assert "hardly worth it" in found["hint"]


def test_noisy_learning_curve_of_a_hard_subject_is_not_enough():
    found = _hint([[20, 0.75], [40, 0.77], [60, 0.76], [80, 0.758]])
    assert not found["enough"]


def test_learning_curve_with_one_point_gives_no_hint():
    assert _hint([[10, 0.7]]) == {"hint": "", "enough": False}


def test_learning_curve_is_reproducible():
    one, two = (learning_curve(*fit(1.0, 60), ridge=0.2, seed=0) for _ in range(2))
    assert one == two
