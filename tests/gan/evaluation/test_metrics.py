import numpy as np
import pytest

from pipeline.gan.evaluation import metrics
from pipeline.gan.evaluation.metrics import (
    MIN_IMAGES,
    Reference,
    density_coverage,
    kid,
    precision_recall,
    squared_mmd,
)


def score(reals, samples):
    return Reference(reals).score(samples)


def cloud(count, *, seed, centre=0.0, spread=1.0):
    return np.random.default_rng(seed).normal(centre, spread, (count, 12)).astype(np.float32)


def test_squared_mmd_equals_the_double_sum_of_the_paper():
    x, y = cloud(7, seed=1), cloud(7, seed=2)
    kernel = lambda a, b: (float(a.astype(float) @ b.astype(float)) / 12 + 1) ** 3  # noqa: E731
    pairs = [(i, j) for i in range(7) for j in range(7)]
    apart = [(i, j) for i, j in pairs if i != j]
    expected = np.mean([kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in apart])
    expected -= 2 * np.mean([kernel(x[i], y[j]) for i, j in pairs])
    assert squared_mmd(x, y) == pytest.approx(expected)


def test_kid_is_zero_for_the_same_source_and_grows_with_distance():
    reals = cloud(400, seed=0)
    same, near, far = (kid(reals, cloud(300, seed=1, centre=centre)) for centre in (0.0, 0.3, 1.0))
    assert abs(same.value) < 4 * same.error
    assert same.value + 4 * same.error < near.value < far.value


def test_kid_error_matches_the_real_variation():
    drawn = [kid(cloud(120, seed=2 * n), cloud(120, seed=2 * n + 1)) for n in range(40)]
    really = np.std([one.value for one in drawn])
    assert really / 1.7 < np.median([one.error for one in drawn]) < really * 1.7


def test_kid_floor_equals_the_kid_of_the_same_source():
    found = score(cloud(400, seed=0), cloud(400, seed=1))
    assert abs(found.kid - found.kid_floor) < 6 * found.kid_error
    assert found.precision > 0.75
    assert found.recall > 0.8


def test_copies_of_a_few_reals_have_precision_one_and_low_recall():
    reals = cloud(200, seed=0)
    precision, recall = precision_recall(reals, np.repeat(reals[:4], 50, axis=0) + cloud(200, seed=1, spread=0.01))
    assert precision == 1.0
    assert recall < 0.1


def test_density_and_coverage_equal_the_sums_of_the_paper():
    reals, samples = cloud(30, seed=0), cloud(20, seed=1, centre=0.3)
    between = np.linalg.norm(samples[:, None] - reals, axis=2)
    radius = np.sort(np.linalg.norm(reals[:, None] - reals, axis=2), axis=1)[:, 5]  # number 0 is the real itself
    inside = between <= radius
    assert density_coverage(reals, samples) == pytest.approx((inside.sum() / (5 * 20), inside.any(axis=0).mean()))
    both = Reference(reals).score(samples)
    assert None not in (both.density, both.coverage)


def test_density_and_coverage_of_the_same_source_and_of_a_few_pictures():
    reals = cloud(400, seed=0)
    density, coverage = density_coverage(reals, cloud(400, seed=1))
    assert 0.8 < density < 1.2
    assert coverage > 0.9
    few = np.repeat(reals[:4], 100, axis=0) + cloud(400, seed=1, spread=0.01)
    assert density_coverage(reals, few)[1] < 0.1


def test_one_strange_real_does_not_make_bad_samples_precise():
    strange = np.full((1, 12), 40, np.float32)
    reals, noise = np.concatenate([cloud(100, seed=0), strange]), cloud(50, seed=1, centre=30)
    assert precision_recall(reals, noise)[0] == 0
    assert precision_recall(reals, cloud(100, seed=2))[0] > 0.75


def test_distant_samples_have_no_precision_and_no_recall():
    assert precision_recall(cloud(100, seed=0), cloud(100, seed=1, centre=50)) == (0.0, 0.0)


def test_kid_is_the_same_from_whole_kernel_and_from_subsets(monkeypatch):
    whole = kid(cloud(200, seed=0), cloud(100, seed=1))
    monkeypatch.setattr(metrics, "MAX_KERNEL_VALUES", 0)
    each = kid(cloud(200, seed=0), cloud(100, seed=1))
    assert (each.value, each.error) == pytest.approx((whole.value, whole.error), rel=1e-9)


def test_reference_can_be_reused():
    reference = Reference(cloud(100, seed=0))
    for count in (40, 60, 40):
        samples = cloud(count, seed=count)
        found = reference.score(samples)
        assert found == score(cloud(100, seed=0), samples)
        assert found.kid == pytest.approx(kid(cloud(100, seed=0), samples).value, rel=1e-9)
        some = min(count, 100)
        assert 0 <= found.precision <= 1
        assert found.recall == precision_recall(reference._shuffled[:some], samples)[1]


def test_precision_and_density_of_a_generator_do_not_depend_on_the_number_of_samples():
    reference, samples = Reference(cloud(300, seed=0)), cloud(200, seed=1, spread=1.4)
    whole, parts = reference.score(samples), [reference.score(samples[at : at + 20]) for at in range(0, 200, 20)]
    assert 0.05 < whole.precision < 0.95
    assert np.mean([part.precision for part in parts]) == pytest.approx(whole.precision)
    assert np.mean([part.density for part in parts]) == pytest.approx(whole.density)


def test_few_samples_far_from_the_reals_have_no_precision():
    reference = Reference(cloud(300, seed=0))
    assert reference.score(cloud(20, seed=1, spread=3.0)).precision == 0.0


def test_scores_are_deterministic():
    assert score(cloud(50, seed=0), cloud(40, seed=1)) == score(cloud(50, seed=0), cloud(40, seed=1))


def test_too_few_pictures_give_no_scores():
    assert score(cloud(100, seed=0), cloud(MIN_IMAGES - 1, seed=1)).kid is None
    assert score(cloud(2 * MIN_IMAGES - 1, seed=0), cloud(100, seed=1)).precision is None
    assert score(cloud(2 * MIN_IMAGES, seed=0), cloud(MIN_IMAGES, seed=1)).kid is not None
