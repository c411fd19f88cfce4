"""Latents: drawn from a seed, truncated, and passed between. Loads no network library, so that servers may use it."""

import numpy as np
from scipy.special import ndtr, ndtri

from pipeline.gan.class_names import ClassChoice

PARALLEL = 1e-3  # radians; below this angle the interpolation is linear, as slerp divides by the sine


def fixed_latents(
    count: int, *, size: int, seed: int, truncation: float = 0.0, chosen: ClassChoice | None = None
) -> np.ndarray:
    """`count` latents (count, size) float32, standard normal. A larger `count` begins with the same latents.

    With a `truncation` above 0 no value is further than that from 0; see `truncated`. All are of the class `chosen`, if
    given, and else of a generator's classes alike.
    """
    latents = np.random.default_rng((seed, *b"latents")).standard_normal((count, size))
    latents = (truncated(latents, truncation) if truncation else latents).astype(np.float32)
    return choose_classes(latents, np.full(count, chosen.label), chosen.classes) if chosen else latents


def choose_classes(latents: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """`latents` (..., size) of the given `classes` (...,), of which there are `count`: the largest of the last `count`
    numbers of each, which says its class, is exchanged with the number of the wanted class.
    """
    chosen = latents.copy()
    scores = chosen[..., -count:]
    wanted, largest = classes[..., np.newaxis], scores.argmax(axis=-1)[..., np.newaxis]
    swapped = np.take_along_axis(scores, wanted, axis=-1), np.take_along_axis(scores, largest, axis=-1)
    np.put_along_axis(scores, largest, swapped[0], axis=-1)
    np.put_along_axis(scores, wanted, swapped[1], axis=-1)
    return chosen


def truncated(latents: np.ndarray, threshold: float) -> np.ndarray:
    """Standard normal values of any shape, mapped to the normal distribution truncated at ±`threshold`.

    The truncation trick of Brock et al. 2019, section 3.1: less varied samples, each likelier. They redraw values
    beyond the threshold. Here each value is mapped to the same quantile of the truncated distribution: the distribution
    is the same, but each result follows from one value, and the n-th sample of a seed stays similar.

    Not every generator works with truncation, as they say: the latents get shorter than any in training, and samples of
    a DCGAN fade to the mean picture at a threshold of 1.
    """
    below = ndtr(-threshold)
    return np.clip(ndtri(below + ndtr(latents) * (1 - 2 * below)), -threshold, threshold)


def latent_walk(keypoints: np.ndarray, frames: int) -> np.ndarray:
    """A walk through `keypoints` (K, ..., size) and back to the first, with `frames` steps from each to the next.

    Returns (K * frames, ..., size), of the keypoints' type; after the last frame comes the first again. Each leg is a
    slerp.
    """
    parts = np.arange(frames) / frames
    following = np.roll(keypoints, -1, axis=0)
    legs = [slerp(start, end, fraction) for start, end in zip(keypoints, following, strict=True) for fraction in parts]
    return np.stack(legs).astype(keypoints.dtype)


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Spherical interpolation (slerp): the latents (..., size) at `fraction`, 0 to 1, from `start` to `end` along a
    sphere.

    White 2016, section 2.1: a straight line would pass near the origin, where high-dimensional normal latents do not
    lie.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.clip((start * end).sum(axis=-1) / np.maximum(lengths, np.finfo(float).tiny), -1, 1)
    angle = np.arccos(cosine)[..., np.newaxis].astype(float)
    straight = (angle < PARALLEL) | (angle > np.pi - PARALLEL)  # between opposite latents no arc is unique
    sine = np.where(straight, 1.0, np.sin(angle))
    near = np.where(straight, 1 - fraction, np.sin((1 - fraction) * angle) / sine)
    far = np.where(straight, fraction, np.sin(fraction * angle) / sine)
    return near * start + far * end
