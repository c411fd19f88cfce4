"""Trainings of a few steps, and steps that take a moment and may go wrong."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.gan.training.loop import TrainConfig, Trainer
from pipeline.gan.training.observer import NullObserver
from pipeline.gan.training.train_step import METRICS
from pipeline.progress import never, silent
from pipeline.store.jsonl import read_rows
from tests.gan.discs import discs
from tests.gan.play import define

EPOCHS, STEPS = 4, 3  # steps in an epoch
TIMED = ("seconds", "images_per_second")


def begun(folder: Path, *, watch=None, tree: dict | None = None, epochs: int = EPOCHS, **terms) -> Trainer:
    """A training at the point where `folder` is."""
    folder.mkdir(exist_ok=True)
    options = {"seed": 1, "sample_every": 1, "checkpoint_every": 1, "name": "mine"} | terms
    given = {"folder": folder, "watch": watch or NullObserver()}
    return Trainer(TrainConfig(epochs=epochs, **options), define(tree), discs(8 * STEPS), **given)


def run(training: Trainer, *, should_stop=never) -> Trainer:
    try:
        training.run(silent, should_stop)
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
class Faults:
    """Steps in a moment, without networks: a weight moves by the rate, the noise and what it was. Counts them, and
    does what is asked of it at the step of a count, or always (-1)."""

    done: int = 0
    no_number: tuple[int, ...] = ()  # whose losses are none
    breaks: tuple[int, ...] = ()  # that leave a weight that is none
    raises: BaseException | None = None
    rates: list[float] = field(default_factory=list)

    def __call__(self, state, *, xla=False):
        def step(plan, inputs):
            number, self.done = self.done, self.done + 1
            if self.raises is not None:
                raise self.raises
            variable = state.generator.trainable_variables[0]
            moved = np.asarray(variable) * 0.9 + np.float32(inputs.rates[0] * inputs.noise.latents.mean())
            variable.assign(moved * np.nan if number in self.breaks else moved)
            state.average.trainable_variables[0].assign(variable)
            self.rates.append(inputs.rates[0])
            told = np.nan if number in self.no_number or -1 in self.no_number else np.abs(moved).mean()
            return np.full(len(METRICS), told, np.float32)

        return step


# Of a growing GAN: an epoch for each side, and for its coming in
GROWING = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 24, "hold": 24}}
