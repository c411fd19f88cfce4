"""The random numbers of one step: a pure function of the seed and the step's number, the same for every backend."""

from dataclasses import dataclass

import numpy as np

from pipeline.gan.augment import DRAWS


@dataclass(frozen=True, kw_only=True)
class Noise:
    """float32. D's `k` turns come first, G's turn last; G's pictures are those of D's last turn."""

    latents: np.ndarray  # (k, B, latent), standard normal
    draws: np.ndarray  # (2k + 1, B, DRAWS) in [0, 1): for D's reals and fakes of each turn, then for G's fakes
    mix: np.ndarray  # (k, B) in [0, 1): places between reals and fakes


def noise_of(number: int, *, seed: int, turns: int, batch: int, latent: int) -> Noise:
    """The noise of step `number`."""
    draw = np.random.default_rng((seed, number, *b"step"))
    return Noise(
        latents=draw.standard_normal((turns, batch, latent), np.float32),
        draws=draw.random((2 * turns + 1, batch, DRAWS), np.float32),
        mix=draw.random((turns, batch), np.float32),
    )
