"""How often a training looks at its samples and saves its state, where nobody has said."""

import math
from dataclasses import dataclass

# Steps that pay for what happens between them: a look takes seconds, a checkpoint tenths of one
LOOK_STEPS, SAVE_STEPS = 1000, 500
LEAST_LOOKS, MOST_LOOKS = 10, 40  # over a training, however short or long


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Epochs from one look, and from one checkpoint, to the next."""

    look: int
    save: int


def find_pace(*, sample_every: int | None, checkpoint_every: int | None, epochs: int, steps: int) -> Pace:
    """What was asked for, or what suits `epochs` of so many `steps`."""
    seldom = max(math.ceil(LOOK_STEPS / steps), math.ceil(epochs / MOST_LOOKS))
    return Pace(
        look=sample_every or min(seldom, max(1, epochs // LEAST_LOOKS)),
        save=checkpoint_every or math.ceil(SAVE_STEPS / steps),
    )
