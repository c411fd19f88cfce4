"""Recovery from NaN losses, and what to tell a user if memory runs out."""

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.config.loading import UNNAMED
from pipeline.gan.training.train_step import METRICS

RETRIES = 3
CAUTION = 0.5  # what both learning rates are multiplied by at each retry


def broken(metrics: np.ndarray) -> str:
    """The names of those METRICS of one step that are no finite numbers; empty when all is well."""
    return ", ".join(name for name, value in zip(METRICS, metrics, strict=True) if not np.isfinite(value))


def gave_up(what: str, *, epoch: int, definition: str) -> UserError:
    """The error for a training that broke down again after every retry."""
    return UserError(
        f"training broke down in epoch {epoch}, {RETRIES} times after going back to the checkpoint before with half"
        f" the learning rates: {what} was no number. Lower the learning rates in {_place(definition)}, or bound D:"
        ' discriminator.weights "spectral", with its norm "none"'
    )


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` is a backend's, or Python's, way to say that memory ran out."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "ResourceExhaustedError"}) or "RESOURCE_EXHAUSTED" in str(error)


def too_big(*, batch: int, size: int, definition: str) -> UserError:
    """The error for a step that does not fit into memory, with the batch size to try."""
    if batch > 2:
        return UserError(
            f'out of memory with {batch} pictures of {size} pixels in a step: try "batch": {max(batch // 2, 2)} in'
            f" {_place(definition)}"
        )
    return UserError(
        f"out of memory with {batch} pictures of {size} pixels in a step: try half the width of both networks in"
        f" {_place(definition)}, or smaller pictures"
    )


def too_big_to_look(*, size: int, definition: str) -> UserError:
    """The error for samples that do not fit into memory while they are drawn, or measured."""
    return UserError(
        f"out of memory while samples of {size} pixels were drawn and measured: try half the width of the generator in"
        f" {_place(definition)}, smaller pictures, or extractor = own"
    )


def without_kernel(error: BaseException) -> bool:
    """Whether `error` is TensorFlow's way to say that something has no kernel in the compiler."""
    return bool({kind.__name__ for kind in type(error).__mro__} & {"InvalidArgumentError", "UnimplementedError"})


def no_xla(definition: str) -> UserError:
    """The error for a step that XLA cannot compile."""
    return UserError(
        f"xla = true: XLA cannot compile all of {_place(definition)} for this device; set gan.xla to false"
    )


def _place(definition: str) -> str:
    return "the definition" if definition == UNNAMED else f"models/{definition}.json"
