import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from pipeline.gan.sampling import fixed_latents, latent_walk, slerp


@pytest.mark.parametrize("truncation", [0.0, 0.7])
def test_larger_count_begins_with_the_same_latents(truncation):
    few, many = (fixed_latents(count, size=8, seed=3, truncation=truncation) for count in (5, 50))
    assert np.array_equal(few, many[:5])


@pytest.mark.parametrize("truncation", [0.01, 0.7, 2.0])
def test_truncated_latents_have_the_truncated_normal_distribution(truncation):
    values = fixed_latents(200, size=50, seed=3, truncation=truncation).ravel()
    assert np.abs(values).max() <= truncation
    assert kstest(values, truncnorm(-truncation, truncation).cdf).pvalue > 0.01


def test_truncation_keeps_the_order_of_values():
    free = fixed_latents(20, size=8, seed=3)
    assert np.array_equal(
        np.argsort(free, axis=None), np.argsort(fixed_latents(20, size=8, seed=3, truncation=0.5), axis=None)
    )
    assert np.allclose(free, fixed_latents(20, size=8, seed=3, truncation=9.0), atol=1e-4)


def test_latent_walk_passes_its_keypoints_and_closes():
    keypoints = fixed_latents(3, size=50, seed=1)
    walk = latent_walk(keypoints, 4)
    assert (walk.shape, walk.dtype) == ((12, 50), np.float32)
    assert np.allclose(walk[::4], keypoints)
    steps = np.linalg.norm(np.roll(walk, -1, axis=0) - walk, axis=1)  # the last one leads back to the first
    for leg in steps.reshape(3, 4):
        assert leg.max() < 1.2 * leg.min()


def test_parallel_latent_walks_are_independent():
    keypoints = fixed_latents(6, size=50, seed=1).reshape(3, 2, 50)
    assert np.allclose(latent_walk(keypoints, 4)[:, 1], latent_walk(keypoints[:, 1], 4))


def test_slerp_keeps_the_length():
    start, end = fixed_latents(2, size=200, seed=1)
    assert np.linalg.norm(slerp(start, end, 0.5)) == pytest.approx(
        np.linalg.norm([start, end], axis=1).mean(), rel=0.01
    )


def test_slerp_of_equal_and_opposite_latents_is_finite():
    ones = np.ones(4, np.float32)
    assert np.allclose(slerp(ones, ones, 0.3), ones)
    assert np.isfinite(slerp(ones, -ones, 0.3)).all()
