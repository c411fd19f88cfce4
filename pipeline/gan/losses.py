"""What the two networks play for, from logits (B, 1); real is above 0. Each returns one number, the batch's mean."""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own


def discriminator_loss(name: str, real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """How badly D tells `real` from `fake`.

    'non_saturating': the cross-entropy of Goodfellow et al. 2014 (equation 1), the reals' label lowered by
    `smoothing` (Salimans et al. 2016, section 3.4). 'hinge': Lim and Ye 2017; both sides leave off at a margin of 1.
    """
    if name == "hinge":
        return keras.ops.mean(keras.ops.relu(1.0 - real)) + keras.ops.mean(keras.ops.relu(1.0 + fake))
    # -(1 - s) log D - s log(1 - D) on logits is softplus(-x) + s x
    on_real = keras.ops.mean(keras.ops.softplus(-real) + smoothing * real)
    return on_real + keras.ops.mean(keras.ops.softplus(fake))


def generator_loss(name: str, fake: Tensor) -> Tensor:
    """How badly G deceives D: -log D(fake) (Goodfellow et al. 2014, section 3) or, for 'hinge', -D(fake) on logits."""
    if name == "hinge":
        return -keras.ops.mean(fake)
    return keras.ops.mean(keras.ops.softplus(-fake))
