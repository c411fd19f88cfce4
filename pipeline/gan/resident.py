"""Reals that lie in the memory of the device, so that no step on a GPU waits until its pictures have been copied there.

The host decides which pictures a step sees (see `Batches`); here they are only gathered, on the device. No number is
computed, so a training comes to the same bits with the pictures on the host.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.gan.runtime import backend, has_gpu

SHARE = 4  # at most a quarter of the device's memory: the rest is for the networks and what flows between their layers
LEAST = 4 * 2**30  # bytes of memory that a GPU is taken to have where its backend does not say
WORD = 4  # bytes that TensorFlow gathers at a time


class Resident:
    """A copy of `images` (N, S, S, C) uint8 on the device. Indexed by places (..., B), it gives (..., B, S, S, C)."""

    def __init__(self, images: np.ndarray) -> None:
        self._gather = (_on_jax if backend() == "jax" else _on_tensorflow)(images)

    def __getitem__(self, places: np.ndarray) -> Any:
        return self._gather(places.astype(np.int32))


def keep_near(images: np.ndarray) -> np.ndarray | Resident:
    """`images` (N, S, S, C) uint8 on the GPU, if there is one and they fit; else as they are, on the host."""
    limit = memory_limit()
    return Resident(images) if limit and images.nbytes <= limit and _in_words(images) else images


def memory_limit() -> int:
    """How many bytes of pictures the GPU may hold; 0 without a GPU, where the device's memory is the host's."""
    if backend() == "jax":
        import jax

        first = jax.local_devices()[0]
        memory = (first.memory_stats() or {}).get("bytes_limit", LEAST) if first.platform == "gpu" else 0
    else:
        memory = LEAST if has_gpu() else 0
    return memory // SHARE


def _in_words(images: np.ndarray) -> bool:
    return math.prod(images.shape[1:]) % WORD == 0


def _on_jax(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    import jax

    held = jax.numpy.asarray(images)
    gather = jax.jit(lambda held, places: held.at[places].get(mode="promise_in_bounds"))
    return lambda places: gather(held, places)


def _on_tensorflow(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    """As words of float32: TensorFlow gathers those on every GPU, and bytes it may send to the host. They are moved,
    never computed with, so that it does not matter what numbers they would be."""
    import tensorflow as tf

    shape = images.shape[1:]
    words = np.ascontiguousarray(images).reshape(len(images), -1).view(np.float32)
    with tf.device("GPU:0" if has_gpu() else "CPU:0"):
        held = tf.constant(words)

    def gather(places: np.ndarray) -> Any:
        return tf.reshape(tf.bitcast(tf.gather(held, places), tf.uint8), (*places.shape, *shape))

    return gather
