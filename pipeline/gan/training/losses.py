"""GAN losses from logits (B, 1), above 0 for real, and gradient penalties. Each returns the mean of the batch."""

import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Smoothing
from pipeline.gan.config.rules import LOSS_PROPERTIES, LossProperties
from pipeline.gan.networks.pyramid import Pictures, map_sides, sides

Tensor = Any  # the backend's own
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Loss(LossProperties):
    """What the two networks minimise: `discriminator(real, fake, smoothing)` and `generator(real, fake)`.

    Unless reals and fakes are paired, the discriminator's loss is the sum of `on_reals(real, smoothing)` and
    `on_fakes(fake, smoothing)`.
    """

    discriminator: Callable[[Tensor, Tensor, Smoothing], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    on_reals: Callable[[Tensor, Smoothing], Tensor] | None = None
    on_fakes: Callable[[Tensor, Smoothing], Tensor] | None = None

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


def _squared_error(logits: Tensor, label: float) -> Tensor:
    """Half the squared distance from `label`, halfway between whose values a logit is 0, as with all other losses."""
    return 0.5 * ops.mean(ops.square(logits + 0.5 - label))


# What the discriminator minimises on reals, of (real, smoothing), and on fakes, of (fake, smoothing)
CROSS_ENTROPY = (  # Goodfellow et al. 2014, equation 1
    lambda real, smoothing: _sigmoid_cross_entropy(real, 1.0 - smoothing.real),
    lambda fake, smoothing: _sigmoid_cross_entropy(fake, smoothing.fake),
)
LEAST_SQUARES = (  # Mao et al. 2017, equation 9 with labels 1 and 0
    lambda real, smoothing: _squared_error(real, 1.0 - smoothing.real),
    lambda fake, smoothing: _squared_error(fake, smoothing.fake),
)
WASSERSTEIN = (  # Arjovsky et al. 2017, equation 3
    lambda real, smoothing: -ops.mean(real),
    lambda fake, smoothing: ops.mean(fake),
)
HINGE = (  # Lim and Ye 2017: both sides leave off at a margin of 1
    lambda real, smoothing: ops.mean(ops.relu(1.0 - real)),
    lambda fake, smoothing: ops.mean(ops.relu(1.0 + fake)),
)


def _sum_of(name: str, terms: tuple[Callable, Callable], generator: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """The loss `name`, whose discriminator minimises the sum of two `terms`, of reals and of fakes."""
    on_reals, on_fakes = terms

    def discriminator(real: Tensor, fake: Tensor, smoothing: Smoothing) -> Tensor:
        return on_reals(real, smoothing) + on_fakes(fake, smoothing)

    properties = asdict(LOSS_PROPERTIES[name])
    return Loss(**properties, discriminator=discriminator, generator=generator, on_reals=on_reals, on_fakes=on_fakes)


LOSSES = {
    # Goodfellow et al. 2014: G makes log(1 - D) small, which saturates while D is ahead
    "minimax": _sum_of("minimax", CROSS_ENTROPY, lambda real, fake: -_sigmoid_cross_entropy(fake, 0.0)),
    # the same, section 3: G makes -log D small
    "non_saturating": _sum_of("non_saturating", CROSS_ENTROPY, lambda real, fake: _sigmoid_cross_entropy(fake, 1.0)),
    "least_squares": _sum_of("least_squares", LEAST_SQUARES, lambda real, fake: _squared_error(fake, 1.0)),
    "wasserstein": _sum_of("wasserstein", WASSERSTEIN, lambda real, fake: -ops.mean(fake)),
    "hinge": _sum_of("hinge", HINGE, lambda real, fake: -ops.mean(fake)),
    # Jolicoeur-Martineau 2018, Huang et al. 2024 (R3GAN, equation 2): each fake is paired with a real
    "relativistic": Loss(
        **asdict(LOSS_PROPERTIES["relativistic"]),
        discriminator=lambda real, fake, smoothing: ops.mean(ops.softplus(fake - real)),
        generator=lambda real, fake: ops.mean(ops.softplus(real - fake)),
    ),
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


def lecam(real: Tensor, fake: Tensor, means: Tensor) -> Tensor:
    """The mean squares of what logits on reals have above the running mean on fakes, and of what the running mean on
    reals has above logits on fakes; `means` (2,) are those on reals and fakes.

    Tseng et al. 2021 ("Regularizing Generative Adversarial Networks under Limited Data"), equation 5; one-sided as in
    the code of its authors: a real that D takes for a fake pays nothing for it.
    """
    above, below = ops.relu(real - means[1]), ops.relu(means[0] - fake)
    return ops.mean(ops.square(above)) + ops.mean(ops.square(below))


def between(reals: Pictures, fakes: Pictures, mix: Tensor) -> Pictures:
    """Points on the lines from `fakes` to `reals`, at the shares `mix` (B,) from 0 to 1, the same for all sides."""
    return map_sides(lambda real, fake: fake + (real - fake) * ops.reshape(mix, (-1, 1, 1, 1)), reals, fakes)


def _squared_norm(slopes: Pictures) -> Tensor:
    """The squared norm of each picture's slope, float32; (B,).

    D of a multi-scale GAN is one function of the pictures of all sides, so its slope is one vector over all of them.
    Karnewar and Wang 2020 take the mean of a penalty for each side instead.
    """
    return reduce(
        operator.add, [ops.sum(ops.square(ops.cast(slope, "float32")), axis=(1, 2, 3)) for slope in sides(slopes)]
    )
