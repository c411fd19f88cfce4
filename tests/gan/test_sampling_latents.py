import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from pipeline.gan.sampling import arc, fixed_latents, loop


@pytest.mark.parametrize("truncation", [0.0, 0.7])
def test_a_larger_count_begins_with_the_same_latents(truncation):
    few, many = (fixed_latents(count, size=8, seed=3, truncation=truncation) for count in (5, 50))
    assert np.array_equal(few, many[:5])


@pytest.mark.parametrize("truncation", [0.01, 0.7, 2.0])
def test_truncation_bounds_every_value_and_gives_the_cut_normal(truncation):
    values = fixed_latents(200, size=50, seed=3, truncation=truncation).ravel()
    assert np.abs(values).max() <= truncation
    assert kstest(values, truncnorm(-truncation, truncation).cdf).pvalue > 0.01


def test_truncation_keeps_the_order_of_the_values_and_a_wide_one_changes_none():
    free = fixed_latents(20, size=8, seed=3)
    assert np.array_equal(
        np.argsort(free, axis=None), np.argsort(fixed_latents(20, size=8, seed=3, truncation=0.5), axis=None)
    )
    assert np.allclose(free, fixed_latents(20, size=8, seed=3, truncation=9.0), atol=1e-4)


def test_a_loop_meets_its_keys_and_closes():
    keys = fixed_latents(3, size=50, seed=1)
    walk = loop(keys, 4)
    assert (walk.shape, walk.dtype) == ((12, 50), np.float32)
    assert np.allclose(walk[::4], keys)
    steps = np.linalg.norm(np.roll(walk, -1, axis=0) - walk, axis=1)  # the last one leads back to the first
    for leg in steps.reshape(3, 4):
        assert leg.max() < 1.2 * leg.min()


def test_parallel_walks_are_walks_apart():
    keys = fixed_latents(6, size=50, seed=1).reshape(3, 2, 50)
    assert np.allclose(loop(keys, 4)[:, 1], loop(keys[:, 1], 4))


def test_halfway_the_latents_are_as_long_as_at_the_ends():
    start, end = fixed_latents(2, size=200, seed=1)
    assert np.linalg.norm(arc(start, end, 0.5)) == pytest.approx(np.linalg.norm([start, end], axis=1).mean(), rel=0.01)


def test_between_equal_latents_and_between_opposite_ones_there_are_numbers():
    ones = np.ones(4, np.float32)
    assert np.allclose(arc(ones, ones, 0.3), ones)
    assert np.isfinite(arc(ones, -ones, 0.3)).all()
