"""Begin a training with the networks of another one: transfer to another subject.

Generator, averaged generator and discriminator, with its class head and the heads of its aid, are those of the last
checkpoint of that training. Optimizers, schedules, the strength of augmentation and the statistics begin anew. A
conditional training needs one with as many classes: the first class, by name, begins as the first one there, and so on.
"""

from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.checkpoint_outline import Origin, load_outline
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
        mine, its = _of_state(state), _of_origin(origin, arrays)
        more = ", so the definition is another: its latent, widths or blocks differ" * (mine == its)
        named = f" with gan.definition = {origin.name}," if origin else ""
        raise UserError(
            f"gan.start: the networks in {checkpoint} are not of the form of this training; it was trained{named} on"
            f" {its}, and this one on {mine}{more}"
        )
    return f"the networks of {checkpoint.parent} ({origin.name}, {origin.shape[0]} px)" if origin else f"{checkpoint}"


def _of_state(state: TrainState) -> str:
    """What the pictures of `state` have in common with those of a training that it may begin with."""
    _, side, _, channels = state.generator.whole.output_shape
    return _in_words(side, channels, state.classes)


def _of_origin(origin: Origin | None, arrays: dict[str, np.ndarray]) -> str:
    if origin is None:
        return "unknown pictures"
    head = arrays.get("class_head/000")  # a vector for each class
    return _in_words(origin.images[1], origin.images[3], len(head) if head is not None else 0)


def _in_words(side: int, channels: int, classes: int) -> str:
    colour = "grey" if channels == 1 else "rgb"
    return f"normalize.size = {side}, normalize.colour = {colour} and {classes or 'no'} classes"
