"""What keeps D's slope in bounds. Each takes `slopes` (B, S, S, C), the gradient of D's logit at each picture."""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own
ops = keras.ops
TINY = 1e-12


def zero_centred(slopes: Tensor) -> Tensor:
    """Half the mean squared slope: R1 on reals, R2 on fakes (Mescheder et al. 2018, equation 9)."""
    return 0.5 * ops.mean(_squared(slopes))


def one_centred(slopes: Tensor) -> Tensor:
    """The mean of (slope - 1)^2, for pictures between reals and fakes (Gulrajani et al. 2017, equation 3)."""
    return ops.mean(ops.square(ops.sqrt(_squared(slopes) + TINY) - 1.0))


def between(reals: Tensor, fakes: Tensor, mix: Tensor) -> Tensor:
    """Points on the lines from `fakes` to `reals`, at `mix` (B,) from 0 to 1."""
    return fakes + (reals - fakes) * ops.reshape(mix, (-1, 1, 1, 1))


def _squared(slopes: Tensor) -> Tensor:
    """The squared length of each picture's slope, float32; (B,)."""
    return ops.sum(ops.square(ops.cast(slopes, "float32")), axis=(1, 2, 3))
