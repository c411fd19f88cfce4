"""How long a training is: a number of epochs or, automatically, until a plateau; which schedules depend on its end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.config.loading import UNNAMED
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.evaluation.diagnostics import ENOUGH_STEPS, plateau_epoch
from pipeline.gan.stats_log import LAST, Row
from pipeline.gan.training.phase import Clock
from pipeline.gan.training.schedule import images_until_full_size

MIN_STEPS = ENOUGH_STEPS  # of an automatic training at full size: until then a plateau is told to wait
MOST_STEPS = 50_000  # of an automatic training, an hour or more on two cores: a KID may fall by chance for ever


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, and how often to sample and save. Of these only `epochs` may affect steps, by schedules."""

    epochs: int | None  # None: until the KID no longer falls, see `ending`, but for about `most_steps` at most
    seed: int
    most_steps: int = MOST_STEPS
    sample_every: int | None = None  # epochs; None: chosen automatically
    checkpoint_every: int | None = None
    minutes: float = 0.0  # the training pauses after these, and can be resumed; 0: no limit
    total_minutes: float = 0.0  # of steps, over all stops, after which the training ends; 0: no limit
    xla: bool = False
    name: str = "dcgan"  # of the definition, for messages


def most_epochs(epoch_steps: int, most_steps: int = MOST_STEPS) -> int:
    """The most epochs of `epoch_steps` steps each that an automatic training of at most about `most_steps` takes."""
    return math.ceil(most_steps / epoch_steps)


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a training is whose epochs `clock` counts: a number of `epochs` or, for None, automatic."""

    epochs: int | None
    clock: Clock
    most_steps: int = MOST_STEPS  # if it is automatic
    full_size_after: int = 0  # images

    @property
    def steps(self) -> int:
        """The steps of the whole training or, if it is automatic, the most that it takes."""
        return self.clock.step_at(self.epochs or self.most_epochs)

    @property
    def most_epochs(self) -> int:
        """The most epochs that it takes if it is automatic."""
        clock = self.clock
        return clock.first_epoch + most_epochs(clock.steps, max(self.most_steps - clock.first_step, 0))

    @property
    def known_steps(self) -> int:
        """The steps of the whole training; 0 if nobody knows them before it ends."""
        return self.steps if self.epochs else 0

    def is_at_plateau(self, rows: Sequence[Row]) -> bool:
        """Whether it is automatic, and ends with the last of `rows`."""
        return self.epochs is None and automatic_end(rows, full_size_after=self.full_size_after) is not None

    def __str__(self) -> str:
        """`of 100` or, if it is automatic, `of at most 2500`."""
        return f"of {self.epochs or f'at most {self.most_epochs}'}"


def end_in_words(config: TrainConfig, *, plateau: bool, time_over: bool) -> str:
    """Why a training by `config` that is done has ended; empty if all its epochs are done."""
    if plateau:
        return "the KID no longer falls"
    if time_over:
        return f"its {config.total_minutes:g} minutes are over (gan.total_minutes)"
    return "" if config.epochs else f"it takes at most about {config.most_steps} steps (gan.most_steps)"


def automatic_end(rows: Sequence[Row], *, full_size_after: int = 0) -> int | None:
    """The epoch at which an automatic training with these `rows` of statistics ends; None if it goes on.

    It is the first one with a plateau, at least MIN_STEPS after the training is at full size, which it is after
    `full_size_after` images. Nothing but the rows decides, so a training that was stopped ends at the same epoch.
    """
    growing = [row for row in rows if row["images_seen"] <= full_size_after]
    grown, before = rows[len(growing) :], growing[-1]["step"] if growing else 0
    for count, row in enumerate(grown, start=1):
        judged = row.get("kid") is not None and LAST not in row and row["step"] - before >= MIN_STEPS
        if judged and plateau_epoch(grown[:count]) is not None:
            return int(row["epoch"])
    return None


def full_size_after(definition: Definition, size: int) -> int:
    """The images after which a GAN for pictures of `size` pixels is at full size; 0 if it does not grow."""
    return images_until_full_size(definition.growing, stages=len(Resolutions.of(size).stages(definition)))


def end_dependent_schedules(definition: Definition) -> list[str]:
    """The fields of `definition` that make a step depend on the number of epochs: learning rates that decay to the end.

    A schedule with `over`, and all that counts images (warm-up, growing, averaging, augmentation), does not.
    """
    networks = {"generator": definition.generator, "discriminator": definition.discriminator}
    return [
        f"{name}.optimizer.schedule"
        for name, network in networks.items()
        if network.optimizer.schedule.kind in ("linear", "cosine") and not network.optimizer.schedule.over
    ]


def check_automatic(definition: Definition, name: str, *, has_scores: bool = True) -> None:
    """Raise a `UserError` that says what to do if an automatic training by `definition`, called `name`, cannot be.

    Its learning rates then depend on the end, which is not known; or it has no scores, so no plateau either.
    """
    if not has_scores:
        raise UserError("epochs = None: give watch=True too, as the training ends when its scores no longer improve")
    if schedules := end_dependent_schedules(definition):
        file = "the definition" if name == UNNAMED else f"models/{name}.json"
        raise UserError(
            f"epochs = auto: the learning rates of {file} end with the training ({', '.join(schedules)}): set"
            " gan.epochs to a number, for example 100, or `over` in the schedule to a number of images"
        )
