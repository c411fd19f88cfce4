"""Recovery from NaN, and the error messages for NaN that persists, lack of memory, and XLA."""

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.config.loading import UNNAMED
from pipeline.gan.training.train_step import METRICS

RETRIES = 3
LR_SCALE = 0.5  # factor on both learning rates at each retry


def non_finite_metrics(metrics: np.ndarray) -> str:
    """The names of the METRICS of one step that are NaN or infinite; empty if all are finite."""
    return ", ".join(name for name, value in zip(METRICS, metrics, strict=True) if not np.isfinite(value))


def gave_up_error(what: str, *, epoch: int, definition: str) -> UserError:
    """The error for a training whose losses or weights become NaN again after every retry."""
    return UserError(
        f"{what} became NaN in epoch {epoch}, {RETRIES} times after rolling back to the last checkpoint with half the"
        f" learning rates. Lower the learning rates in {_definition_file(definition)}, or bound D:"
        ' discriminator.weights "spectral", with its norm "none"'
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is Python's or a backend's error for lack of memory."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "ResourceExhaustedError"}) or "RESOURCE_EXHAUSTED" in str(error)


def out_of_memory_error(*, batch: int, size: int, definition: str) -> UserError:
    """The error for a step that does not fit into memory, with the batch size to try."""
    if batch > 2:
        return UserError(
            f'out of memory with {batch} pictures of {size} pixels in a step: try "batch": {max(batch // 2, 2)} in'
            f" {_definition_file(definition)}"
        )
    return UserError(
        f"out of memory with {batch} pictures of {size} pixels in a step: try half the width of both networks in"
        f" {_definition_file(definition)}, or smaller pictures"
    )


def sampling_memory_error(*, size: int, definition: str) -> UserError:
    """The error for samples that do not fit into memory while they are generated or scored."""
    return UserError(
        f"out of memory while generating and scoring samples of {size} pixels: try half the width of the generator in"
        f" {_definition_file(definition)}, smaller pictures, or extractor = own"
    )


def is_missing_kernel(error: BaseException) -> bool:
    """Whether `error` is TensorFlow's error for an operation that its XLA compiler lacks."""
    return bool({kind.__name__ for kind in type(error).__mro__} & {"InvalidArgumentError", "UnimplementedError"})


def xla_error(definition: str) -> UserError:
    """The error for a step that XLA cannot compile."""
    return UserError(
        f"xla = true: XLA cannot compile all of {_definition_file(definition)} for this device; set gan.xla to false"
    )


def _definition_file(definition: str) -> str:
    return "the definition" if definition == UNNAMED else f"models/{definition}.json"
