"""DiffAugment (Zhao et al. 2020): differentiable distortions of what the discriminator sees, reals and fakes alike.

A pure function of the images and of random numbers given from outside, so that a step can be repeated exactly.
"""

from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Augment

Tensor = Any  # the backend's own
DRAWS = 11  # random numbers for one image, each in [0, 1)
SHIFT = 1 / 8  # largest translation, as a share of the side
HOLE = 1 / 2  # side of the hole that cutout makes, as a share of the side

ops = keras.ops


def augment(images: Tensor, draws: Tensor, rule: Augment, probability: Tensor) -> Tensor:
    """`images` (B, S, S, C) in about [-1, 1], distorted as `draws` (B, DRAWS) say; gradients flow through.

    Each policy of `rule` meets an image with `probability`, which an adaptive rule moves as training goes.
    """
    draw = [draws[:, index] for index in range(DRAWS)]
    if "colour" in rule.policies:
        images = _colour(images, draw[0:3], _chosen(draw[3], probability))
    if "translation" in rule.policies:
        images = _translation(images, draw[4:6], _chosen(draw[6], probability))
    if "cutout" in rule.policies:
        images = _cutout(images, draw[7:9], _chosen(draw[9], probability))
    if rule.flip:
        images = ops.where(_spread(draw[10]) < 0.5, images, ops.flip(images, axis=2))
    return images


def _chosen(draw: Tensor, probability: Tensor) -> Tensor:
    """1.0 for the images that a policy is applied to, 0.0 for the others; (B,)."""
    return ops.cast(draw < probability, "float32")


def _spread(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1)."""
    return ops.reshape(values, (-1, 1, 1, 1))


def _colour(images: Tensor, draws: list[Tensor], chosen: Tensor) -> Tensor:
    """Brightness by up to 0.5 either way, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    brightness, saturation, contrast = ((draw - 0.5) * chosen for draw in draws)
    images = images + _spread(brightness)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * _spread(1 + 2 * saturation)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * _spread(1 + contrast)


def _translation(images: Tensor, draws: list[Tensor], chosen: Tensor) -> Tensor:
    """Shifted by whole pixels along both axes; what comes into view is 0, mid-grey."""
    for draw in draws:
        # Two transposes bring the columns to where the rows were, and back again
        images = ops.transpose(_shifted_rows(images, draw, chosen), (0, 2, 1, 3))
    return images


def _shifted_rows(images: Tensor, draw: Tensor, chosen: Tensor) -> Tensor:
    """A product with a matrix of ones and zeros: exact, and unlike a gather's its gradient is always summed alike."""
    _, side, width, channels = images.shape
    reach = int(side * SHIFT + 0.5)
    shift = ops.floor(draw * (2 * reach + 1)) - reach  # (B,) whole numbers from -reach to reach
    row = ops.arange(side, dtype="float32")
    source = row[None, :, None] + ops.reshape(shift * chosen, (-1, 1, 1))  # (B, S, 1)
    pick = ops.cast(ops.equal(source, row[None, None, :]), images.dtype)  # (B, S, S)
    return ops.reshape(ops.matmul(pick, ops.reshape(images, (-1, side, width * channels))), (-1, side, width, channels))


def _cutout(images: Tensor, draws: list[Tensor], chosen: Tensor) -> Tensor:
    """A square hole of 0 with its centre anywhere in the image."""
    side = images.shape[1]
    hole = int(side * HOLE + 0.5)
    down, right = (_within(draw, side, hole) for draw in draws)
    covered = down[:, :, None, None] * right[:, None, :, None] * _spread(chosen)
    return images * (1.0 - covered)


def _within(draw: Tensor, side: int, hole: int) -> Tensor:
    """1.0 where a pixel lies in the hole along one axis, else 0.0; (B, S)."""
    start = ops.reshape(ops.floor(draw * (side + 1)), (-1, 1)) - hole // 2
    pixel = ops.arange(side, dtype="float32")[None, :]
    return ops.cast(ops.logical_and(pixel >= start, pixel < start + hole), "float32")
