"""Begin a training with the networks of another one: transfer to another subject.

Generator, averaged generator and discriminator, with its class head and the heads of its aid, are those of the last
checkpoint of that training. Optimizers, schedules, the strength of augmentation and the statistics begin anew. A
conditional training needs one with as many classes: the first class, by name, begins as the first one there, and so on.
"""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.resume_point import Origin, load_outline
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
    if not state.restore_networks(arrays):
        raise UserError(
            f"gan.start: the networks in {checkpoint} are not of the form of this training; it was trained with"
            f" {_in_words(origin)}, and this one {_classes(state.classes)}"
        )
    return f"the networks of {checkpoint.parent} ({origin.name}, {origin.shape[0]} px)" if origin else f"{checkpoint}"


def _in_words(origin: Origin | None) -> str:
    """What a training must have in common with the one of `origin`."""
    if origin is None:
        return "another definition"
    side, _, channels = origin.shape
    colour, classes = "grey" if channels == 1 else "rgb", "is conditional" if origin.classes else "has no classes"
    return f"gan.definition = {origin.name}, normalize.size = {side} and normalize.colour = {colour}, and {classes}"


def _classes(count: int) -> str:
    return f"has {count} classes" if count else "has no classes"
