"""The phase of a training: the batch size and the label smoothing that steps are taken with, and since which step.

`Dcgan.train` may be given others than those of the definition. Steps go on being counted; epochs have another number of
steps from then on. A checkpoint holds its phase, so a training resumes with the batches that it was interrupted in.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from pipeline.gan.config import Definition, Smoothing

MAX_COUNT = 10**15  # of steps, epochs and images


class Phase(BaseModel):
    """What the steps from `step` on are taken with. A training begins with FIRST."""

    model_config = ConfigDict(frozen=True, strict=True)

    step: int = Field(0, ge=0, le=MAX_COUNT)  # the first step of the phase
    epoch: int = Field(0, ge=0, le=MAX_COUNT)  # whole epochs before it
    images: int = Field(0, ge=0, le=MAX_COUNT)  # images that D saw before it
    before: int = Field(0, ge=0, le=MAX_COUNT)  # images that D saw in the step before it
    batch: int | None = Field(None, ge=2, le=4096)  # None: that of the definition
    smoothing: Smoothing | None = None

    def settings_of(self, definition: Definition) -> Definition:
        """`definition` with the batch size and the smoothing of this phase."""
        found = {name: value for name in ("batch", "smoothing") if (value := getattr(self, name)) is not None}
        return definition.model_copy(update=found)

    def restarted(self) -> Phase:
        """The same settings in the first phase of a new training."""
        return Phase(batch=self.batch, smoothing=self.smoothing)


FIRST = Phase()  # as the definition says, from the first step on


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Converts between steps and epochs in one phase, whose epochs have `steps` steps each."""

    steps: int
    first_step: int = 0  # of the phase
    first_epoch: int = 0  # whole epochs before it

    def epochs_after(self, step: int) -> int:
        """Whole epochs done after `step` steps."""
        return self.first_epoch + (step - self.first_step) // self.steps

    def steps_into(self, step: int) -> int:
        """Steps of the current epoch that are done after `step` steps; 0 if an epoch has just ended."""
        return (step - self.first_step) % self.steps

    def step_at(self, epoch: int) -> int:
        """Steps done after `epoch` epochs."""
        return self.first_step + (epoch - self.first_epoch) * self.steps
