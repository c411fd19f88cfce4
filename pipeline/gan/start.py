"""Begin a training with the networks of another one: transfer to another subject.

Generator, averaged generator and discriminator are those of the last checkpoint of that training. Optimizers,
schedules, the strength of augmentation and the statistics begin anew. A conditional training needs one with as many
classes: the first class, by name, begins as the first one there, and so on.
"""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.resume_point import load_outline
from pipeline.gan.training.state import TrainState
from pipeline.store.npz import UnusableFile


def copy_networks(checkpoint: Path, state: TrainState) -> str:
    """Set the networks of `state` to those in the file `checkpoint`; returns what they are of, in words.

    Errors: `UserError` if the file cannot be used, or has other networks.
    """
    try:
        origin, arrays = load_outline(checkpoint).origin, load_arrays(checkpoint)
    except UnusableFile as error:
        raise UserError(f"gan.start: {checkpoint} {error}; give another training") from None
    name, side = (origin.name, origin.shape[0]) if origin else ("unnamed", 0)
    if not state.restore_networks(arrays):
        raise UserError(
            f"gan.start: the networks in {checkpoint} are not of the form of this training; it was trained with"
            f" gan.definition = {name} and normalize.size = {side}{_same_classes(state)}"
        )
    return f"the networks of {checkpoint.parent} ({name}, {side} px)"


def _same_classes(state: TrainState) -> str:
    """What else must be the same for a conditional `state`."""
    return f", and this one has {state.classes} classes" if state.classes else ""
