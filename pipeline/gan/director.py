"""What each step is to do, and with which numbers: a pure function of the definition, the seed and the step's number,
but for D's lead, and for the caution that a breakdown leaves behind."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.batches import Batches
from pipeline.gan.definition import Definition
from pipeline.gan.noise import noise_of
from pipeline.gan.resident import Resident
from pipeline.gan.schedule import ema_share, grown_after, rate_at, stage_at
from pipeline.gan.step import Inputs, Plan


@dataclass(frozen=True, kw_only=True)
class Director:
    """Of one training on `images` (N, S, S, C) uint8, which may be on the device, for `steps` steps in all; `stages`
    sides of a growing GAN."""

    definition: Definition
    images: np.ndarray | Resident
    batches: Batches
    steps: int
    stages: int

    def check_growth(self) -> None:
        """Raise a `UserError` that says what to do, if the last sides of a growing GAN would never learn."""
        needed, in_all = grown_after(self.definition.growing, stages=self.stages), self.seen(self.steps)
        if not self.grown(self.steps - 1):
            raise UserError(
                f"growing comes to full size after {needed} images, and this training sees {in_all}: set epochs to"
                f" {-(-(needed + self.batches.seen) // self.seen(self.batches.steps))} or more, or lower growing.fade"
                " and growing.hold"
            )

    def plan(self, number: int, *, learn: bool) -> Plan:
        """What step `number` does."""
        stage = stage_at(self.definition.growing, seen=self.seen(number), stages=self.stages)
        rules = self.definition.penalties
        due = {
            name: rule.weight > 0 and number % rule.every == 0
            for name, rule in (("gradient", rules.gradient), ("r1", rules.r1), ("r2", rules.r2))
        }
        return Plan(stage=stage.index, fading=stage.fading, learn=learn, **due)

    def inputs(self, number: int) -> Inputs:
        """The numbers that step `number` works with."""
        definition, batches = self.definition, self.batches
        ema = {"half_life": definition.ema.half_life, "ramp": definition.ema.ramp}
        return Inputs(
            reals=self.images[batches.of_step(number)],
            noise=noise_of(
                number, seed=batches.seed, turns=batches.turns, batch=batches.batch, latent=definition.latent
            ),
            rates=self.rates(number),
            share=ema_share(**ema, seen=self.seen(number + 1), batch=batches.seen),
            fade=stage_at(definition.growing, seen=self.seen(number), stages=self.stages).fade,
        )

    def grown(self, number: int) -> bool:
        """Whether step `number` is on pictures of full size alone."""
        return self.seen(number) >= grown_after(self.definition.growing, stages=self.stages)

    def rates(self, number: int) -> tuple[float, float]:
        """The learning rates of G and D at step `number`."""
        networks, seen, total = self.definition, self.seen(number), self.seen(self.steps)
        optimizers = (networks.generator.optimizer, networks.discriminator.optimizer)
        g_rate, d_rate = (rate_at(optimizer, seen=seen, total=total) for optimizer in optimizers)
        return g_rate, d_rate

    def seen(self, number: int) -> int:
        """Images that D has seen after `number` steps."""
        return number * self.batches.seen
