"""Schedules: learning rates, the stage of a growing GAN, intervals of samples and checkpoints, skipping of D."""

import math
from dataclasses import dataclass

from pipeline.gan.config import Balance, Growing, Optimizer
from pipeline.gan.training.phase import Clock

# Steps after which automatic sample sheets are due: many at first, when samples change fast, and about every 12 % more
# from 1000 on, by ISO 3's preferred numbers R20. They depend on the step alone: a longer training has the same sheets
FIRST_SHEETS = (100, 200, 400, 600, 800)
SHEET_SERIES = (
    1000, 1120, 1250, 1400, 1600, 1800, 2000, 2240, 2500, 2800, 3150, 3550, 4000, 4500, 5000, 5600, 6300, 7100, 8000,
    9000,
)  # fmt: skip
CHECKPOINT_STEPS = 500  # steps between two checkpoints, which take tenths of a second
AVERAGED_STEPS = 30  # for D's average accuracy


def rate_at(optimizer: Optimizer, *, seen: int, total: int) -> float:
    """The learning rate after `seen` of the `total` images of the training."""
    schedule = optimizer.schedule
    warm = min(1.0, (seen + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.kind == "drop":  # those at a plateau are in plateau_drops.py
        return optimizer.learning_rate * warm * schedule.factor ** sum(seen >= images for images in schedule.at)
    done = min(1.0, seen / (schedule.over or max(total, 1)))
    decay = {"constant": 0.0, "linear": done, "cosine": 0.5 - 0.5 * math.cos(math.pi * done)}[schedule.kind]
    return optimizer.learning_rate * warm * (1.0 + (schedule.final - 1.0) * decay)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The stage of a growing GAN: the index of its side, and the weight of that side while it fades in."""

    index: int
    fade: float = 1.0

    @property
    def fading(self) -> bool:
        """Whether the side is still fading in."""
        return self.fade < 1.0


def stage_at(growing: Growing, *, seen: int, stages: int) -> Stage:
    """The stage of `stages` after `seen` images: the first side is held, each later side is faded in and held."""
    if stages == 1:
        return Stage(index=0)
    later, span = seen - growing.hold, growing.fade + growing.hold
    if later < 0:
        return Stage(index=0)
    index = 1 + (later // span if span else stages)
    if index >= stages:
        return Stage(index=stages - 1)
    into = later % span
    return Stage(index=index, fade=min(1.0, into / growing.fade) if growing.fade else 1.0)


def images_until_full_size(growing: Growing, *, stages: int) -> int:
    """The number of images after which the last of `stages` is fully faded in."""
    return growing.hold + (stages - 2) * (growing.fade + growing.hold) + growing.fade if stages > 1 else 0


def ema_share(*, half_life: float, ramp: float, seen: int, batch: int) -> float:
    """The share by which the averaged generator moves towards the generator in a step of `batch` images, after `seen`.

    The half-life, in images, is at most `ramp` times the images seen (StyleGAN2-ADA's `ema_rampup`); 0: no limit.
    """
    effective = min(half_life, seen * ramp) if ramp else half_life
    return 1.0 - 0.5 ** (batch / effective) if effective > 0 else 1.0


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """After which epochs a sample sheet and a checkpoint are due, in a training whose epochs `clock` counts.

    `sample_every` and `checkpoint_every` are epochs; None: automatic, by the number of steps done. Nothing here depends
    on how long the training will be.
    """

    clock: Clock
    sample_every: int | None = None
    checkpoint_every: int | None = None

    def is_sheet_due(self, epoch: int) -> bool:
        """Whether a sample sheet is due after `epoch` epochs: automatically, if they passed a step of the series."""
        if self.sample_every:
            return epoch % self.sample_every == 0
        end = self.clock.step_at(epoch)
        return _sheets_until(end) > _sheets_until(end - self.clock.steps)

    def is_checkpoint_due(self, epoch: int) -> bool:
        """Whether a checkpoint is due after `epoch` epochs."""
        return epoch % (self.checkpoint_every or math.ceil(CHECKPOINT_STEPS / self.clock.steps)) == 0


def _sheets_until(step: int) -> int:
    """How many steps of the series of automatic sheets are at or before `step`."""
    count, scale = sum(first <= step for first in FIRST_SHEETS), 1
    while SHEET_SERIES[0] * scale <= step:
        count += sum(each * scale <= step for each in SHEET_SERIES)
        scale *= 10
    return count


class AccuracyAverage:
    """The discriminator's accuracy averaged over about thirty steps; it starts at 0.5, that of guessing."""

    def __init__(self, rule: Balance) -> None:
        self.rule, self.accuracy = rule, 0.5

    @property
    def learns(self) -> bool:
        """Whether D learns in the next step."""
        return not self.rule.skip_above or self.accuracy <= self.rule.skip_above

    def update(self, accuracy: float) -> None:
        """Add D's accuracy in one step."""
        self.accuracy += (accuracy - self.accuracy) / AVERAGED_STEPS
