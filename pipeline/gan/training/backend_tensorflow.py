"""The step on TensorFlow: gradient tapes, and one traced function a plan."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipeline.devices import keras
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.train_step import Objective, Tensor, Variables


class TapeAutodiff:
    """A `Autodiff` of gradient tapes."""

    def by_variables(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            _watch(tape, variables)
            loss, aside = objective()
        return aside, _or_zeros(tape.gradient(loss, variables), variables)

    def by_input(self, objective: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor) -> tuple[Any, Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:  # D's weights stay: no gradients for them
            tape.watch(x)
            loss, aside = objective(x)
        return aside, tape.gradient(loss, x)

    def pull(self, draw: Callable[[], Tensor], variables: Variables) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            _watch(tape, variables)
            drawn = draw()
        return drawn, lambda by_drawn: _or_zeros(tape.gradient(drawn, variables, by_drawn), variables)

    def slopes(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x))
        return tape.gradient(total, x)


def compile_with(update: Callable[[dict[str, Tensor]], Tensor], state: TrainState, *, xla: bool) -> Callable:
    """`update` as a function from arrays to its metrics; it changes `state`."""
    traced = tf.function(update, jit_compile=xla, autograph=False)
    return lambda arrays: traced({name: tf.convert_to_tensor(array) for name, array in arrays.items()})


def _watch(tape: tf.GradientTape, variables: Variables) -> None:
    tape.watch([variable.value for variable in variables])


def _or_zeros(gradients: list[Tensor | None], variables: Variables) -> list[Tensor]:
    """A stage of a growing GAN leaves the variables of other sides alone."""
    pairs = zip(gradients, variables, strict=True)
    return [keras.ops.zeros(variable.shape) if found is None else found for found, variable in pairs]
