"""Schedules: learning rates, the stage of a growing GAN, when to sample and save, and when D sits out."""

import math
from dataclasses import dataclass

from pipeline.gan.config import Balance, Growing, Optimizer


def rate_at(optimizer: Optimizer, *, seen: int, total: int) -> float:
    """The learning rate after `seen` images of the `total` that the training is to see."""
    schedule = optimizer.schedule
    warm = min(1.0, (seen + 1) / schedule.warmup) if schedule.warmup else 1.0
    done = min(1.0, seen / (schedule.over or max(total, 1)))
    way = {"constant": 0.0, "linear": done, "cosine": 0.5 - 0.5 * math.cos(math.pi * done)}[schedule.kind]
    return optimizer.learning_rate * warm * (1.0 + (schedule.final - 1.0) * way)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a growing GAN stands: the place of its side among all, and for how much a new side counts."""

    index: int
    fade: float = 1.0

    @property
    def fading(self) -> bool:
        """Whether the side is still coming in."""
        return self.fade < 1.0


def stage_at(growing: Growing, *, seen: int, stages: int) -> Stage:
    """The stage after `seen` images, of `stages`: the first is held, each later one faded in and held."""
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


def grown_after(growing: Growing, *, stages: int) -> int:
    """The images after which the last of `stages` is there in full."""
    return growing.hold + (stages - 2) * (growing.fade + growing.hold) + growing.fade if stages > 1 else 0


def ema_share(*, half_life: float, ramp: float, seen: int, batch: int) -> float:
    """By how much the averaged generator moves towards the generator in a step of `batch` images, after `seen`.

    The half-life, in images, is at most `ramp` of the images seen (StyleGAN2-ADA's `ema_rampup`); 0: no limit.
    """
    lasting = min(half_life, seen * ramp) if ramp else half_life
    return 1.0 - 0.5 ** (batch / lasting) if lasting > 0 else 1.0


# Steps that pay for what happens between them: a look takes seconds, a checkpoint tenths of one
LOOK_STEPS, SAVE_STEPS = 1000, 500
LEAST_LOOKS, MOST_LOOKS = 10, 40  # over a training, however short or long


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Epochs from one look, and from one checkpoint, to the next."""

    look: int
    save: int


def choose_intervals(*, sample_every: int | None, checkpoint_every: int | None, epochs: int, steps: int) -> Intervals:
    """What was asked for, or what suits `epochs` of so many `steps`."""
    seldom = max(math.ceil(LOOK_STEPS / steps), math.ceil(epochs / MOST_LOOKS))
    return Intervals(
        look=sample_every or min(seldom, max(1, epochs // LEAST_LOOKS)),
        save=checkpoint_every or math.ceil(SAVE_STEPS / steps),
    )


MEMORY = 30  # steps over which D's accuracy is averaged


class AccuracyAverage:
    """D's accuracy averaged over some thirty steps; it starts where guessing is."""

    def __init__(self, rule: Balance) -> None:
        self.rule, self.accuracy = rule, 0.5

    @property
    def learns(self) -> bool:
        """Whether D is to learn in the next step."""
        return not self.rule.skip_above or self.accuracy <= self.rule.skip_above

    def saw(self, accuracy: float) -> None:
        """Take note of D's accuracy in one step."""
        self.accuracy += (accuracy - self.accuracy) / MEMORY
