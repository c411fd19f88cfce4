"""GAN losses from logits (B, 1), above 0 for real, and gradient penalties. Each returns the mean of the batch."""

import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Smoothing
from pipeline.gan.config.rules import LOSS_PROPERTIES, LossProperties
from pipeline.gan.networks.pyramid import Pictures, each, sides

Tensor = Any  # the backend's own
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Loss(LossProperties):
    """What the two networks minimise: `discriminator(real, fake, smoothing)` and `generator(real, fake)`."""

    discriminator: Callable[[Tensor, Tensor, Smoothing], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]

    def is_correct(self, real: Tensor, fake: Tensor) -> Tensor:
        """1.0 where D is correct, else 0.0: for each logit (2B, 1), above 0 on reals and below 0 on fakes. Without
        `has_zero` for each pair (B, 1): the real has the higher logit."""
        if self.has_zero:
            return ops.cast(ops.concatenate([real > 0, fake < 0]), "float32")
        return ops.cast(real > fake, "float32")

    def sureness(self, real: Tensor, fake: Tensor) -> Tensor:
        """The mean sign of D's logits on reals, -1 to 1: near 1 it has memorised them (Karras et al. 2020, r_t).

        Without `has_zero`, the mean sign of the difference of each real's logit and its fake's.
        """
        return ops.mean(ops.sign(real if self.has_zero else real - fake))


def find_loss(name: str) -> Loss:
    """The loss that definitions call `name`."""
    return LOSSES[name]


def feature_distance(real: Tensor, fake: Tensor) -> Tensor:
    """The squared distance of mean features (B, F), a mean over F (Salimans et al. 2016, section 3.1)."""
    return ops.mean(ops.square(ops.mean(real, axis=0) - ops.mean(fake, axis=0)))


def _sigmoid_cross_entropy(logits: Tensor, label: float) -> Tensor:
    """The cross-entropy of sigmoid(logits) with `label`: -label log p - (1 - label) log(1 - p)."""
    return ops.mean(ops.softplus(logits) - label * logits)


def _cross_entropy(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Goodfellow et al. 2014, equation 1."""
    return _sigmoid_cross_entropy(real, 1.0 - smoothing.real) + _sigmoid_cross_entropy(fake, smoothing.fake)


def _least_squares(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Mao et al. 2017, equation 9 with labels 1 and 0."""
    return _squared_error(real, 1.0 - smoothing.real) + _squared_error(fake, smoothing.fake)


def _squared_error(logits: Tensor, label: float) -> Tensor:
    """Half the squared distance from `label`, halfway between whose values a logit is 0, as with all other losses."""
    return 0.5 * ops.mean(ops.square(logits + 0.5 - label))


def _hinge(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Lim and Ye 2017: both sides leave off at a margin of 1."""
    return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))


# By name: what the discriminator minimises, of (real, fake, smoothing), and what the generator does, of (real, fake)
FUNCTIONS = {
    # Goodfellow et al. 2014: G makes log(1 - D) small, which saturates while D is ahead
    "minimax": (_cross_entropy, lambda real, fake: -_sigmoid_cross_entropy(fake, 0.0)),
    # the same, section 3: G makes -log D small
    "non_saturating": (_cross_entropy, lambda real, fake: _sigmoid_cross_entropy(fake, 1.0)),
    "least_squares": (_least_squares, lambda real, fake: _squared_error(fake, 1.0)),
    # Arjovsky et al. 2017, equation 3
    "wasserstein": (
        lambda real, fake, smoothing: ops.mean(fake) - ops.mean(real),
        lambda real, fake: -ops.mean(fake),
    ),
    "hinge": (_hinge, lambda real, fake: -ops.mean(fake)),
    # Jolicoeur-Martineau 2018, Huang et al. 2024 (R3GAN, equation 2): each fake is paired with a real
    "relativistic": (
        lambda real, fake, smoothing: ops.mean(ops.softplus(fake - real)),
        lambda real, fake: ops.mean(ops.softplus(real - fake)),
    ),
}
LOSSES = {
    name: Loss(**asdict(LOSS_PROPERTIES[name]), discriminator=discriminator, generator=generator)
    for name, (discriminator, generator) in FUNCTIONS.items()
}


TINY = 1e-12


def zero_centred(slopes: Pictures) -> Tensor:
    """R1 and R2: half the mean squared norm of `slopes`, D's gradients by reals or fakes (Mescheder et al. 2018, eq.
    9).
    """
    return 0.5 * ops.mean(_squared_norm(slopes))


def one_centred(slopes: Pictures) -> Tensor:
    """The mean of (slope - 1)^2 for pictures between reals and fakes (Gulrajani et al. 2017, equation 3)."""
    return ops.mean(ops.square(ops.sqrt(_squared_norm(slopes) + TINY) - 1.0))


def between(reals: Pictures, fakes: Pictures, mix: Tensor) -> Pictures:
    """Points on the lines from `fakes` to `reals`, at the shares `mix` (B,) from 0 to 1, the same for all sides."""
    return each(lambda real, fake: fake + (real - fake) * ops.reshape(mix, (-1, 1, 1, 1)), reals, fakes)


def _squared_norm(slopes: Pictures) -> Tensor:
    """The squared norm of each picture's slope, float32; (B,).

    D of a multi-scale GAN is one function of the pictures of all sides, so its slope is one vector over all of them.
    Karnewar and Wang 2020 take the mean of a penalty for each side instead.
    """
    return reduce(
        operator.add, [ops.sum(ops.square(ops.cast(slope, "float32")), axis=(1, 2, 3)) for slope in sides(slopes)]
    )
