"""Schedules: learning rates, the stage of a growing GAN, intervals of samples and checkpoints, skipping of D."""

import math
from dataclasses import dataclass

from pipeline.gan.config import Balance, Growing, Optimizer

# Steps between two sample sheets, which take seconds, and between two checkpoints, which take tenths of a second
SAMPLE_STEPS, CHECKPOINT_STEPS = 1000, 500
MIN_SHEETS, MAX_SHEETS = 10, 40  # of a whole training
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
    """Epochs between two sample sheets, and between two checkpoints."""

    sample_every: int
    checkpoint_every: int


def choose_intervals(*, sample_every: int | None, checkpoint_every: int | None, epochs: int, steps: int) -> Intervals:
    """The requested intervals; for None, intervals that suit `epochs` of `steps` steps each."""
    interval = max(math.ceil(SAMPLE_STEPS / steps), math.ceil(epochs / MAX_SHEETS))
    return Intervals(
        sample_every=sample_every or min(interval, max(1, epochs // MIN_SHEETS)),
        checkpoint_every=checkpoint_every or math.ceil(CHECKPOINT_STEPS / steps),
    )


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
