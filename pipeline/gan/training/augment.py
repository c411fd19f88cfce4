"""DiffAugment (Zhao et al. 2020): differentiable augmentation of what the discriminator sees, reals and fakes alike.

A pure function of the images and of random numbers that the caller gives, so that a step can be repeated exactly.
"""

from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Augment

Tensor = Any  # a tensor of the backend
DRAWS = 11  # random numbers for one image, each in [0, 1)
SHIFT_SHARE = 1 / 8  # largest translation, as a share of the side
HOLE_SHARE = 1 / 2  # side of the hole that cutout makes, as a share of the side

ops = keras.ops


def augment(images: Tensor, draws: Tensor, rule: Augment, probability: Tensor) -> Tensor:
    """Augment `images` (B, S, S, C) in about [-1, 1] by the random numbers `draws` (B, DRAWS); gradients flow through.

    Each policy of `rule` is applied to an image with `probability`, which adaptive augmentation changes during
    training.
    """
    draw = [draws[:, index] for index in range(DRAWS)]
    if "colour" in rule.policies:
        images = _colour(images, draw[0:3], _mask(draw[3], probability))
    if "translation" in rule.policies:
        images = _translation(images, draw[4:6], _mask(draw[6], probability))
    if "cutout" in rule.policies:
        images = _cutout(images, draw[7:9], _mask(draw[9], probability))
    if rule.flip:
        images = ops.where(_per_image(draw[10]) < 0.5, images, ops.flip(images, axis=2))
    return images


def _mask(draw: Tensor, probability: Tensor) -> Tensor:
    """1.0 for the images that a policy is applied to, 0.0 for the others; (B,)."""
    return ops.cast(draw < probability, "float32")


def _per_image(values: Tensor) -> Tensor:
    """Reshape (B,) to (B, 1, 1, 1)."""
    return ops.reshape(values, (-1, 1, 1, 1))


def _colour(images: Tensor, draws: list[Tensor], mask: Tensor) -> Tensor:
    """Change brightness by up to 0.5 up or down, saturation by a factor 0 to 2, contrast by a factor 0.5 to 1.5."""
    brightness, saturation, contrast = ((draw - 0.5) * mask for draw in draws)
    images = images + _per_image(brightness)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * _per_image(1 + 2 * saturation)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * _per_image(1 + contrast)


def _translation(images: Tensor, draws: list[Tensor], mask: Tensor) -> Tensor:
    """Shift by whole pixels along both axes; the new border is 0, mid-grey."""
    for draw in draws:
        # The second pass shifts the columns, and its transpose restores the axes
        images = ops.transpose(_shifted_rows(images, draw, mask), (0, 2, 1, 3))
    return images


def _shifted_rows(images: Tensor, draw: Tensor, mask: Tensor) -> Tensor:
    """Shift rows by a product with a matrix of ones and zeros.

    It is exact, and unlike the gradient of a gather its gradient is always summed in the same order.
    """
    _, side, width, channels = images.shape
    max_shift = int(side * SHIFT_SHARE + 0.5)
    shift = ops.floor(draw * (2 * max_shift + 1)) - max_shift  # (B,) whole numbers from -reach to reach
    row = ops.arange(side, dtype="float32")
    source = row[None, :, None] + ops.reshape(shift * mask, (-1, 1, 1))  # (B, S, 1)
    pick = ops.cast(ops.equal(source, row[None, None, :]), images.dtype)  # (B, S, S)
    return ops.reshape(ops.matmul(pick, ops.reshape(images, (-1, side, width * channels))), (-1, side, width, channels))


def _cutout(images: Tensor, draws: list[Tensor], mask: Tensor) -> Tensor:
    """Set a square to 0 whose centre is anywhere in the image."""
    side = images.shape[1]
    hole = int(side * HOLE_SHARE + 0.5)
    down, right = (_hole_mask(draw, side, hole) for draw in draws)
    covered = down[:, :, None, None] * right[:, None, :, None] * _per_image(mask)
    return images * (1.0 - covered)


def _hole_mask(draw: Tensor, side: int, hole: int) -> Tensor:
    """1.0 for the pixels inside the hole along one axis, else 0.0; (B, S)."""
    start = ops.reshape(ops.floor(draw * (side + 1)), (-1, 1)) - hole // 2
    pixel = ops.arange(side, dtype="float32")[None, :]
    return ops.cast(ops.logical_and(pixel >= start, pixel < start + hole), "float32")
