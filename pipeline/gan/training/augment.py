"""DiffAugment (Zhao et al. 2020): differentiable augmentation of what the discriminator sees, reals and fakes alike.

A pure function of the images and of random numbers that the caller gives, so that a step can be repeated exactly.

The pictures of a multi-scale GAN are distorted alike at every side. D must not tell fakes from reals by the distortion,
and the coarse fakes are generated, not derived from the fine ones. So each side is distorted by itself, reals as well
as fakes, and in such a way as if every pixel of it were enlarged to full size, distorted there, and averaged again:
a translation is by the same share of the side, and a hole has the same place.
"""

from typing import Any

import numpy as np

from pipeline.devices import keras
from pipeline.gan.config import Augment
from pipeline.gan.networks.pyramid import Pictures, map_sides, sides
from pipeline.images.packed import Images

Tensor = Any  # a tensor of the backend
DRAWS = 11  # random numbers for one image, each in [0, 1)
MIRROR = 10  # the index of the one that mirrors the image if it is 0.5 or above
LOOKED_AT = 1000  # pictures, of more than these
LOOKED_AT_SIDE = 32  # pixels of a side, about
MOST_ASYMMETRY = 2.0  # five sets of flowers have 0.7 to 1.0, a crawl 1.1, and a thousand of Fashion-MNIST 115
SHIFT_SHARE = 1 / 8  # largest translation, as a share of the side
HOLE_SHARE = 1 / 2  # side of the hole that cutout makes, as a share of the side

ops = keras.ops


def mirrors(rule: Augment, images: Images) -> bool:
    """Whether a training on `images` (N, S, S, C) uint8 mirrors at random: for 'auto' if left and right are alike."""
    return rule.flip == "always" or (rule.flip == "auto" and asymmetry(images) < MOST_ASYMMETRY)


def asymmetry(images: Images) -> float:
    """How much `images` (N, S, S, C) uint8 differ from their mirror images on average.

    With d the difference of a picture and its mirror image, it is N |mean d|^2 / mean |d|^2. Where each picture is as
    likely as its mirror image, 1 is expected, whatever N is; otherwise it grows with N.
    """
    side, looked_at = images.shape[1], np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(int)
    apart = max(1, side // LOOKED_AT_SIDE)
    total, squares = np.zeros(()), 0.0
    for index in looked_at:
        rows = images[index][::apart].astype(np.float32)
        difference = (rows - rows[:, ::-1])[:, : side // 2 : apart]
        total, squares = total + difference, squares + float(np.sum(np.square(difference)))
    return float(np.sum(np.square(total))) / squares if squares else 0.0


def augment(images: Pictures, draws: Tensor, rule: Augment, probability: Tensor) -> Pictures:
    """Augment `images` (B, S, S, C) in about [-1, 1] by the random numbers `draws` (B, DRAWS); gradients flow through.

    Each policy of `rule` is applied to an image with `probability`, which adaptive augmentation changes during
    training. Of a multi-scale GAN the images of each side are augmented alike.
    """
    size = sides(images)[-1].shape[1]
    return map_sides(lambda scale: _augment(scale, draws, rule, probability, times=size // scale.shape[1]), images)


def _augment(images: Tensor, draws: Tensor, rule: Augment, probability: Tensor, *, times: int) -> Tensor:
    """Augment `images` (B, s, s, C), each pixel of which stands for `times` x `times` pixels at full size."""
    draw = [draws[:, index] for index in range(DRAWS)]
    if "colour" in rule.policies:
        images = _colour(images, draw[0:3], _mask(draw[3], probability))
    if "translation" in rule.policies:
        images = _translation(images, draw[4:6], _mask(draw[6], probability), times)
    if "cutout" in rule.policies:
        images = _cutout(images, draw[7:9], _mask(draw[9], probability), times)
    if rule.flip != "never":
        images = ops.where(_per_image(draw[MIRROR]) < 0.5, images, ops.flip(images, axis=2))
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


def _translation(images: Tensor, draws: list[Tensor], mask: Tensor, times: int) -> Tensor:
    """Shift by whole pixels of the full size along both axes; the new border is 0, mid-grey."""
    for draw in draws:
        # The second pass shifts the columns, and its transpose restores the axes
        images = ops.transpose(_shifted_rows(images, draw, mask, times), (0, 2, 1, 3))
    return images


def _shifted_rows(images: Tensor, draw: Tensor, mask: Tensor, times: int) -> Tensor:
    """Shift rows by a product with a matrix of ones and zeros, or of the shares of two rows at a part of a pixel.

    It is exact, and unlike the gradient of a gather its gradient is always summed in the same order.
    """
    _, side, width, channels = images.shape
    max_shift = int(side * times * SHIFT_SHARE + 0.5)
    shift = ops.floor(draw * (2 * max_shift + 1)) - max_shift  # (B,) whole numbers from -reach to reach
    row = ops.arange(side, dtype="float32")
    source = row[None, :, None] + ops.reshape(shift * mask / times, (-1, 1, 1))  # (B, S, 1)
    pick = ops.relu(1.0 - ops.abs(source - row[None, None, :]))  # (B, S, S)
    return ops.reshape(ops.matmul(pick, ops.reshape(images, (-1, side, width * channels))), (-1, side, width, channels))


def _cutout(images: Tensor, draws: list[Tensor], mask: Tensor, times: int) -> Tensor:
    """Set a square to 0 whose centre is anywhere in the image."""
    down, right = (_hole_mask(draw, images.shape[1], times) for draw in draws)
    covered = down[:, :, None, None] * right[:, None, :, None] * _per_image(mask)
    return images * (1.0 - covered)


def _hole_mask(draw: Tensor, side: int, times: int) -> Tensor:
    """The share of each pixel along one axis that is inside the hole: 1.0 or 0.0, except at its edges; (B, S)."""
    size = side * times
    hole = int(size * HOLE_SHARE + 0.5)
    start = ops.reshape(ops.floor(draw * (size + 1)), (-1, 1)) - hole // 2
    pixel = times * ops.arange(side, dtype="float32")[None, :]
    inside = ops.minimum(pixel + times, start + hole) - ops.maximum(pixel, start)
    return ops.clip(inside / times, 0.0, 1.0)
