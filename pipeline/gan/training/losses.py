"""GAN losses from logits (B, 1), above 0 for real, and gradient penalties. Each returns the mean of the batch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Smoothing
from pipeline.gan.config.rules import LOSS_PROPERTIES, LossProperties

Tensor = Any  # the backend's own
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Loss(LossProperties):
    """What the two networks minimise: `discriminator(real, fake, smoothing)` and `generator(real, fake)`."""

    discriminator: Callable[[Tensor, Tensor, Smoothing], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]

    def right(self, real: Tensor, fake: Tensor) -> Tensor:
        """1.0 for each logit that is on its side of 0, else 0.0: (2B, 1). Where logits have no zero, 1.0 for each pair
        of which the real has the higher logit: (B, 1)."""
        if self.has_zero:
            return ops.cast(ops.concatenate([real > 0, fake < 0]), "float32")
        return ops.cast(real > fake, "float32")

    def sureness(self, real: Tensor, fake: Tensor) -> Tensor:
        """The mean sign of D's logits on reals, -1 to 1: near 1 it has memorised them (Karras et al. 2020, r_t).

        Where logits have no zero, that of pairs of a real and a fake.
        """
        return ops.mean(ops.sign(real if self.has_zero else real - fake))


def find_loss(name: str) -> Loss:
    """The loss that definitions call `name`."""
    return LOSSES[name]


def feature_distance(real: Tensor, fake: Tensor) -> Tensor:
    """The squared distance of mean features (B, F), a mean over F (Salimans et al. 2016, section 3.1)."""
    return ops.mean(ops.square(ops.mean(real, axis=0) - ops.mean(fake, axis=0)))


def _entropy(logits: Tensor, label: float) -> Tensor:
    """The cross-entropy of sigmoid(logits) with `label`: -label log p - (1 - label) log(1 - p)."""
    return ops.mean(ops.softplus(logits) - label * logits)


def _told_apart(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Goodfellow et al. 2014, equation 1."""
    return _entropy(real, 1.0 - smoothing.real) + _entropy(fake, smoothing.fake)


def _squares(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Mao et al. 2017, equation 9 with labels 1 and 0."""
    return _distance(real, 1.0 - smoothing.real) + _distance(fake, smoothing.fake)


def _distance(logits: Tensor, label: float) -> Tensor:
    """Half the squared distance from `label`, halfway between whose values a logit is 0, as with all other losses."""
    return 0.5 * ops.mean(ops.square(logits + 0.5 - label))


def _margins(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
    """Lim and Ye 2017: both sides leave off at a margin of 1."""
    return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))


# By name: what the discriminator minimises, of (real, fake, smoothing), and what the generator does, of (real, fake)
FUNCTIONS = {
    # Goodfellow et al. 2014: G makes log(1 - D) small, which saturates while D is ahead
    "minimax": (_told_apart, lambda real, fake: -_entropy(fake, 0.0)),
    # the same, section 3: G makes -log D small
    "non_saturating": (_told_apart, lambda real, fake: _entropy(fake, 1.0)),
    "least_squares": (_squares, lambda real, fake: _distance(fake, 1.0)),
    # Arjovsky et al. 2017, equation 3
    "wasserstein": (
        lambda real, fake, smoothing: ops.mean(fake) - ops.mean(real),
        lambda real, fake: -ops.mean(fake),
    ),
    "hinge": (_margins, lambda real, fake: -ops.mean(fake)),
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


def zero_centred(slopes: Tensor) -> Tensor:
    """R1 and R2: half the mean squared norm of `slopes`, D's gradients by reals or fakes (Mescheder et al. 2018, eq.
    9).
    """
    return 0.5 * ops.mean(_squared(slopes))


def one_centred(slopes: Tensor) -> Tensor:
    """The mean of (slope - 1)^2 for pictures between reals and fakes (Gulrajani et al. 2017, equation 3)."""
    return ops.mean(ops.square(ops.sqrt(_squared(slopes) + TINY) - 1.0))


def between(reals: Tensor, fakes: Tensor, mix: Tensor) -> Tensor:
    """Points on the lines from `fakes` to `reals`, at the shares `mix` (B,) from 0 to 1."""
    return fakes + (reals - fakes) * ops.reshape(mix, (-1, 1, 1, 1))


def _squared(slopes: Tensor) -> Tensor:
    """The squared norm of each picture's slope, float32; (B,)."""
    return ops.sum(ops.square(ops.cast(slopes, "float32")), axis=(1, 2, 3))
