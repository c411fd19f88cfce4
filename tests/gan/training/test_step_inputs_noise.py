import numpy as np
import pytest

from pipeline.gan.training.augment import DRAWS
from pipeline.gan.training.step_inputs import noise_of

SHAPE = {"seed": 3, "turns": 2, "batch": 5, "latent": 7}


def test_there_is_enough_for_every_turn():
    noise = noise_of(4, **SHAPE)
    shapes = [noise.latents.shape, noise.draws.shape, noise.mix.shape]
    assert shapes == [(2, 5, 7), (5, 5, DRAWS), (2, 5)]
    assert {array.dtype for array in vars(noise).values()} == {np.dtype(np.float32)}


def test_it_is_the_same_again_and_another_for_each_step_and_seed():
    first, again, later, seeded = (
        noise_of(number, **SHAPE | {"seed": seed}).latents for number, seed in ((4, 3), (4, 3), (5, 3), (4, 2))
    )
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), later.ravel())[0, 1]) < 0.5
    assert abs(np.corrcoef(first.ravel(), seeded.ravel())[0, 1]) < 0.5


def test_latents_are_normal_and_the_rest_is_even():
    noise = noise_of(0, seed=0, turns=1, batch=2000, latent=16)
    assert (noise.latents.mean(), noise.latents.std()) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.03))
    for even in (noise.draws, noise.mix):
        assert 0 <= even.min() < even.max() < 1
        assert even.mean() == pytest.approx(0.5, abs=0.03)
