"""What the host hands to a step: what to do, which is compiled in, and with which numbers, which is not."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.gan.noise import Noise


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one step does. Steps of equal plans share one compiled function."""

    stage: int = 0  # of a growing GAN, counted from the coarsest
    fading: bool = False  # whether that stage is still coming in
    learn: bool = True  # whether D learns, or is only asked
    gradient: bool = False  # whether the gradient penalty is due
    r1: bool = False
    r2: bool = False


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The numbers of one step, for `k` turns of D."""

    reals: Any  # (k, B, S, S, C) uint8, of NumPy or on the device already
    noise: Noise
    rates: tuple[float, float]  # learning rates of G and D
    share: float  # by which the averaged generator moves towards the generator
    fade: float = 1.0  # of the stage that is coming in

    def careful(self, caution: float) -> "Inputs":
        """The same with both learning rates multiplied by `caution`."""
        return dataclasses.replace(self, rates=(self.rates[0] * caution, self.rates[1] * caution))

    def arrays(self) -> dict[str, Any]:
        """As the compiled function takes them."""
        numbers = {"rates": self.rates, "share": self.share, "fade": self.fade}
        floats = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
        return {"reals": self.reals, **vars(self.noise), **floats}
