"""Trainers with few steps, and fake steps without networks that can fail on request."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.train_step import METRICS
from pipeline.progress import never, silent
from pipeline.store.jsonl import read_rows
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import define

EPOCHS, STEPS = 4, 3  # steps in an epoch
TIMED = ("seconds", "images_per_second")


def make_trainer(
    folder: Path, *, observer=None, tree: dict | None = None, epochs: int | None = EPOCHS, **config
) -> Trainer:
    """A trainer at the checkpoint in `folder`."""
    folder.mkdir(exist_ok=True)
    options = {"seed": 1, "sample_every": 1, "checkpoint_every": 1, "name": "dcgan"} | config
    given = {"folder": folder, "observer": observer or NullObserver()}
    return Trainer(TrainConfig(epochs=epochs, **options), define(tree), draw_discs(8 * STEPS), **given)


def run(training: Trainer, *, should_stop=never, progress=silent) -> Trainer:
    try:
        training.run(progress, should_stop)
    finally:
        training.log.close()
    return training


def rows(folder: Path) -> list[dict]:
    return [{key: row[key] for key in row if key not in TIMED} for row in read_rows(folder / "stats.jsonl")]


def arrays(training: Trainer) -> dict[str, np.ndarray]:
    return {name: array for name, array in training.arrays().items() if name != "seconds"}


def assert_same(one: Trainer, other: Trainer) -> None:
    mine, theirs = arrays(one), arrays(other)
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert rows(one.folder) == rows(other.folder)


def weight(training: Trainer) -> object:
    return training.state.generator.trainable_variables[0]


@dataclass
class FakeSteps:
    """Fast steps without networks: a weight changes by the learning rate, the noise and its value. Counts the steps.

    It can make losses or a weight NaN at the steps with given numbers (-1: always), or raise an error.
    """

    done: int = 0
    nan_losses: tuple[int, ...] = ()  # steps with NaN losses
    nan_weights: tuple[int, ...] = ()  # steps that leave a NaN weight
    raises: BaseException | None = None
    rates: list[float] = field(default_factory=list)

    def __call__(self, state, *, xla=False):
        def step(plan, inputs):
            number, self.done = self.done, self.done + 1
            if self.raises is not None:
                raise self.raises
            variable = state.generator.trainable_variables[0]
            moved = np.asarray(variable) * 0.9 + np.float32(inputs.rates[0] * inputs.noise.latents.mean())
            variable.assign(moved * np.nan if number in self.nan_weights else moved)
            state.average.trainable_variables[0].assign(variable)
            self.rates.append(inputs.rates[0])
            value = np.nan if number in self.nan_losses or -1 in self.nan_losses else np.abs(moved).mean()
            return np.full(len(METRICS), value, np.float32)

        return step


# A growing GAN: an epoch for each side, and for fading it in
GROWING = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 24, "hold": 24}}
