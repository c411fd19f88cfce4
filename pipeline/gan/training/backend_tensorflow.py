"""The training step on TensorFlow: gradient tapes, and one traced function for each step plan."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipeline.devices import keras
from pipeline.gan.networks.pyramid import Pictures
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.train_step import Backward, Objective, Tensor, Variables


class TapeAutodiff:
    """`Autodiff` on TensorFlow, with gradient tapes."""

    def variable_gradients(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            _watch(tape, variables)
            loss, aux = objective()
        return aux, _zeros_if_none(tape.gradient(loss, variables), variables)

    def input_gradient(self, objective: Callable[[Pictures], tuple[Tensor, Any]], x: Pictures) -> tuple[Any, Pictures]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:  # no gradients for D's weights
            tape.watch(x)
            loss, aux = objective(x)
        return aux, tape.gradient(loss, x)

    def vjp(self, function: Callable[[], Pictures], variables: Variables) -> tuple[Pictures, Backward]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            _watch(tape, variables)
            samples = function()
        return samples, lambda cotangent: _zeros_if_none(tape.gradient(samples, variables, cotangent), variables)

    def per_example_gradients(self, function: Callable[[Pictures], Tensor], x: Pictures) -> Pictures:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x))
        return tape.gradient(total, x)


def compile_with(update: Callable[[dict[str, Tensor]], Tensor], state: TrainState, *, xla: bool) -> Callable:
    """Compile `update` into a function from arrays to its metrics that updates `state`."""
    traced = tf.function(update, jit_compile=xla, autograph=False)
    return lambda arrays: traced({name: tf.convert_to_tensor(array) for name, array in arrays.items()})


def _watch(tape: tf.GradientTape, variables: Variables) -> None:
    tape.watch([variable.value for variable in variables])


def _zeros_if_none(gradients: list[Tensor | None], variables: Variables) -> list[Tensor]:
    """Replace missing gradients by zeros: a stage of a growing GAN does not use the variables of other sides."""
    pairs = zip(gradients, variables, strict=True)
    return [keras.ops.zeros(variable.shape) if found is None else found for found, variable in pairs]
