"""Which pictures a step sees: a pure function of the seed and the step's number."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.errors import UserError

FEWEST = 16  # with fewer there is nothing to tell apart, and batch norm has nothing to average


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The order of `count` pictures over all epochs. An epoch leaves out the few that fill no batch of `wanted`."""

    count: int
    wanted: int
    seed: int

    @property
    def batch(self) -> int:
        """Pictures in one step: all of them when there are too few for a batch."""
        return min(self.wanted, self.count)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return self.count // self.batch

    def of_step(self, number: int) -> np.ndarray:
        """The places of the pictures that step `number`, counted from 0 over all epochs, sees; (batch,)."""
        epoch, place = divmod(number, self.steps)
        return _order(self.count, self.seed, epoch)[place * self.batch : (place + 1) * self.batch]


def check_count(count: int) -> None:
    """Raise a `UserError` that says what to do, unless `count` pictures are enough to train on."""
    if count < FEWEST:
        raise UserError(
            f"{count} pictures were kept and a GAN needs at least {FEWEST}, some hundreds to be any good:"
            " download more, or lower the threshold of filter"
        )


@lru_cache(maxsize=1)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)
