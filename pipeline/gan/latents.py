"""The random numbers that pictures are drawn from, and walks between them."""

import numpy as np
from scipy.special import ndtr, ndtri

from pipeline.errors import UserError

PARALLEL = 1e-3  # radians; two latents no further apart are joined by a line, as the arc's formula divides by its sine


def fixed_latents(count: int, *, size: int, seed: int, truncation: float = 0.0) -> np.ndarray:
    """`count` latents (count, size) float32, standard normal. A larger `count` begins with the same ones.

    With a `truncation` above 0 no value lies further than that from 0; see `truncated`.
    """
    latents = np.random.default_rng((seed, *b"latents")).standard_normal((count, size))
    return (truncated(latents, truncation) if truncation else latents).astype(np.float32)


def as_latents(values: object, *, size: int) -> np.ndarray:
    """`values` as latents (N, size) float32. Errors: a `UserError` for anything that is not."""
    try:
        latents = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"latents are no array of numbers: give (N, {size}), as sample_latents does") from None
    if latents.ndim != 2 or latents.shape[1] != size or not len(latents):
        raise UserError(f"latents of shape {latents.shape}: expected (N, {size})")
    if not np.isfinite(latents).all():
        raise UserError("latents: some values are no finite numbers; mend what made them")
    return latents


def truncated(latents: np.ndarray, threshold: float) -> np.ndarray:
    """Standard normal values of any shape as values of the normal distribution cut off at ±`threshold`.

    The truncation trick of Brock et al. 2019, section 3.1: less varied pictures, each likelier. They draw values beyond
    the threshold again. Here each value goes to the same quantile of the cut distribution: the same distribution, but
    every value follows from the one it was alone, and the n-th picture of a seed stays much the same picture.

    Not every generator bears it, as they say: latents get shorter than any it learnt from, and those of a DCGAN fade
    to the mean of all pictures from a threshold of 1 on.
    """
    below = ndtr(-threshold)
    return np.clip(ndtri(below + ndtr(latents) * (1 - 2 * below)), -threshold, threshold)


def loop(keys: np.ndarray, frames: int) -> np.ndarray:
    """A walk through `keys` (K, ..., size) and back to the first, `frames` steps from each to the next.

    Returns (K * frames, ..., size), of the keys' type; the first frame comes after the last. Each leg is an arc.
    """
    parts = np.arange(frames) / frames
    following = np.roll(keys, -1, axis=0)
    legs = [arc(start, end, part) for start, end in zip(keys, following, strict=True) for part in parts]
    return np.stack(legs).astype(keys.dtype)


def arc(start: np.ndarray, end: np.ndarray, part: float) -> np.ndarray:
    """The latents (..., size) that lie `part`, from 0 to 1, of the way from `start` to `end` along a sphere.

    White 2016, section 2.1: a straight line would lead past the middle, where no latents are in so many dimensions.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.clip((start * end).sum(axis=-1) / np.maximum(lengths, np.finfo(float).tiny), -1, 1)
    angle = np.arccos(cosine)[..., np.newaxis].astype(float)
    straight = (angle < PARALLEL) | (angle > np.pi - PARALLEL)  # opposite ones: any arc would do, and none is theirs
    sine = np.where(straight, 1.0, np.sin(angle))
    near = np.where(straight, 1 - part, np.sin((1 - part) * angle) / sine)
    far = np.where(straight, part, np.sin(part * angle) / sine)
    return near * start + far * end
