"""Which pictures a step sees: a pure function of the seed and the step's number."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.errors import UserError

FEWEST = 16  # with fewer there is nothing to tell apart, and batch norm has nothing to average


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The order of `count` pictures over all epochs. An epoch leaves out the few that fill no batch of `wanted`.

    A step takes `turns` batches, one for each time that D learns; an epoch is the steps that see every picture once,
    rounded up.
    """

    count: int
    wanted: int
    seed: int
    turns: int = 1

    @property
    def batch(self) -> int:
        """Pictures in one batch: all of them when there are too few."""
        return min(self.wanted, self.count)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return -(-(self.count // self.batch) // self.turns)

    @property
    def seen(self) -> int:
        """Pictures that one step sees."""
        return self.batch * self.turns

    def of_step(self, number: int) -> np.ndarray:
        """The places of the pictures that step `number`, counted from 0 over all epochs, sees; (turns, batch)."""
        return np.stack([self._of_turn(number * self.turns + turn) for turn in range(self.turns)])

    def _of_turn(self, number: int) -> np.ndarray:
        epoch, place = divmod(number, self.count // self.batch)
        return _order(self.count, self.seed, epoch)[place * self.batch : (place + 1) * self.batch]


def check_count(count: int) -> None:
    """Raise a `UserError` that says what to do, unless `count` pictures are enough to train on."""
    if count < FEWEST:
        raise UserError(
            f"{count} pictures were kept and a GAN needs at least {FEWEST}, some hundreds to be any good:"
            " download more, or lower the threshold of filter"
        )


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)
