"""The random numbers that pictures are drawn from."""

import numpy as np


def fixed_latents(count: int, *, size: int, seed: int) -> np.ndarray:
    """`count` latents (count, size) float32, standard normal. A larger `count` begins with the same ones."""
    return np.random.default_rng((seed, *b"latents")).standard_normal((count, size)).astype(np.float32)
