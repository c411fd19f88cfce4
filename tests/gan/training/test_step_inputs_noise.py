import numpy as np
import pytest

from pipeline.gan.training.augment import DRAWS
from pipeline.gan.training.step_inputs import make_noise

SHAPE = {"seed": 3, "turns": 2, "batch": 5, "latent": 7}


def test_noise_has_arrays_for_every_turn():
    noise = make_noise(4, **SHAPE)
    shapes = [noise.latents.shape, noise.draws.shape, noise.mix.shape]
    assert shapes == [(2, 5, 7), (5, 5, DRAWS), (2, 5)]
    assert {array.dtype for array in vars(noise).values()} == {np.dtype(np.float32)}


def test_noise_depends_on_step_and_seed_only():
    first, again, later, seeded = (
        make_noise(number, **SHAPE | {"seed": seed}).latents for number, seed in ((4, 3), (4, 3), (5, 3), (4, 2))
    )
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), later.ravel())[0, 1]) < 0.5
    assert abs(np.corrcoef(first.ravel(), seeded.ravel())[0, 1]) < 0.5


def test_latents_are_normal_and_draws_uniform():
    noise = make_noise(0, seed=0, turns=1, batch=2000, latent=16)
    assert (noise.latents.mean(), noise.latents.std()) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.03))
    for even in (noise.draws, noise.mix):
        assert 0 <= even.min() < even.max() < 1
        assert even.mean() == pytest.approx(0.5, abs=0.03)
