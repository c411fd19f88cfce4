"""NaN during training: find it, roll back to the last checkpoint, or give up; and errors for lack of memory and XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pipeline.errors import UserError
from pipeline.gan.config.loading import definitions
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.train_step import METRICS

if TYPE_CHECKING:
    from pipeline.gan.training.loop import Trainer

T = TypeVar("T")

RETRIES = 3
LR_SCALE = 0.5  # factor on both learning rates at each retry


def non_finite_metrics(metrics: np.ndarray) -> str:
    """The names of the METRICS of one step that are NaN or infinite; empty if all are finite."""
    return ", ".join(name for name, value in zip(METRICS, metrics, strict=True) if not np.isfinite(value))


def is_finite(state: TrainState) -> bool:
    """Whether the whole state is finite: losses may be finite although the step made a weight NaN."""
    return all(np.isfinite(array).all() for array in state.arrays().values())


def roll_back(trainer: Trainer, what: str, *, epoch: int) -> None:
    """Restore the newest checkpoint with half the learning rates, because `what` became NaN in `epoch` (from 1).

    The next row of statistics gets a note. Errors: `UserError` after RETRIES, or if there is no checkpoint.
    """
    retries, lr_scale = trainer.retries + 1, trainer.lr_scale * LR_SCALE
    if retries > RETRIES or not trainer.resume():
        raise gave_up_error(what, epoch=epoch, definition=trainer.config.name)
    trainer.retries, trainer.lr_scale = retries, lr_scale
    trainer.log.rewind(trainer.epoch)
    trainer.note = (
        f"{what} became NaN in epoch {epoch}: rolled back to the checkpoint of epoch {trainer.epoch} and continued"
        f" with learning rates times {lr_scale:g}"
    )


def gave_up_error(what: str, *, epoch: int, definition: str) -> UserError:
    """The error for a training whose losses or weights become NaN again after every retry."""
    return UserError(
        f"{what} became NaN in epoch {epoch}, {RETRIES} times after rolling back to the last checkpoint with half the"
        f" learning rates. Lower the learning rates in {_definition_file(definition)}, or bound D:"
        ' discriminator.weights "spectral", with its norm "none"'
    )


def explain_errors(call: Callable[[], T], *, batch: int, size: int, definition: str, xla: bool, sampling: bool) -> T:
    """The result of `call`, a step or, with `sampling`, the generation of samples.

    Errors: `UserError` if memory runs out, or if XLA cannot compile the step.
    """
    try:
        return call()
    except Exception as error:
        if is_out_of_memory(error) and sampling:
            raise sampling_memory_error(size=size, definition=definition) from None
        if is_out_of_memory(error):
            raise out_of_memory_error(batch=batch, size=size, definition=definition) from None
        if xla and is_missing_kernel(error):
            raise xla_error(definition) from None
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is Python's or a backend's error for lack of memory."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "ResourceExhaustedError"}) or "RESOURCE_EXHAUSTED" in str(error)


def out_of_memory_error(*, batch: int, size: int, definition: str) -> UserError:
    """The error for a step that does not fit into memory, with the batch size to try."""
    if batch > 2:
        return UserError(
            f'out of memory with {batch} squares of {size} pixels in a step: try "batch": {max(batch // 2, 2)} in'
            f" {_definition_file(definition)}"
        )
    return UserError(
        f"out of memory with {batch} squares of {size} pixels in a step: try half the width of both networks in"
        f" {_definition_file(definition)}, or a smaller normalize.size"
    )


def sampling_memory_error(*, size: int, definition: str) -> UserError:
    """The error for samples that do not fit into memory while they are generated or scored."""
    return UserError(
        f"out of memory while generating and scoring samples of {size} pixels: try half the width of the generator in"
        f" {_definition_file(definition)}, a smaller normalize.size, or extractor = own"
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
    """Where the definition is; a `Dcgan` may have another name than a file in models/."""
    return f"models/{definition}.json" if definition in definitions() else "the definition"
