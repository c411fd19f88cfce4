"""A picture at several sides at once: what a multi-scale GAN generates and judges (MSG-GAN, Karnewar and Wang 2020).

`Pictures` are one tensor (B, S, S, C) or, with `multi_scale`, a tuple of one for each side, the coarsest first. The
functions here take both, so that one training step serves both kinds of GAN.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.devices import keras

Tensor = Any  # a tensor of the backend, or of a Keras graph
Pictures = Any  # a tensor (B, S, S, C), or a tuple of tensors, the coarsest first


def map_sides(function: Callable[..., Any], *pictures: Pictures) -> Pictures:
    """`function` of the pictures of each side."""
    return keras.tree.map_structure(function, *pictures)


def sides(pictures: Pictures) -> list[Tensor]:
    """The pictures of each side as a list, the coarsest first; one tensor is a list of one."""
    return keras.tree.flatten(pictures)


def pyramid(pictures: Tensor, side_lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """`pictures` (B, S, S, C) at each of `side_lengths`, which divide S, by the mean of squares of pixels.

    Training, measurements and exported discriminators all use this filter. As a mean of means is a mean, each side is
    also the next finer one brought down, and all sides of a picture have the same mean.
    """
    size = pictures.shape[1]
    pools = {side: keras.layers.AveragePooling2D(size // side, dtype="float32") for side in side_lengths if side < size}
    return tuple(pools[side](pictures) if side < size else pictures for side in side_lengths)


def as_judged(discriminator: keras.Model, pictures: Tensor) -> Pictures:
    """`pictures` (B, S, S, C) in the form that `discriminator` takes: as they are or, if it takes many sides, at each.

    S is the side of its finest input.
    """
    lengths = [each_input.shape[1] for each_input in discriminator.inputs]
    # Keras takes arrays alone, but no tuple that holds one
    return pictures if len(lengths) == 1 else pyramid(keras.ops.convert_to_tensor(pictures), lengths)
