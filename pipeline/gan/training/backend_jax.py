"""The training step on JAX: Keras' stateless scopes around pure functions, compiled by XLA."""

from collections.abc import Callable
from typing import Any

import jax

from pipeline.devices import keras
from pipeline.gan.networks.pyramid import Pictures
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.train_step import Backward, Objective, Tensor, Variables


class PureAutodiff:
    """`Autodiff` on JAX, inside one stateless scope.

    Each function runs in a scope of its own that starts from the current values; what it changes besides `variables` is
    assigned to the outer scope.
    """

    def __init__(self, state: TrainState) -> None:
        self.state = state

    def variable_gradients(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        pure = self._pure(objective, variables)
        (_, (aux, others)), gradients = jax.value_and_grad(pure, has_aux=True)(_values(variables))
        self._assign_others(others, variables)
        return aux, gradients

    def input_gradient(self, objective: Callable[[Pictures], tuple[Tensor, Any]], x: Pictures) -> tuple[Any, Pictures]:
        def pure(x: Tensor) -> tuple[Tensor, Any]:
            loss, aux = self._pure(lambda: objective(x), [])([])
            return loss, aux

        (_, (aux, others)), gradient = jax.value_and_grad(pure, has_aux=True)(x)
        self._assign_others(others, [])
        return aux, gradient

    def vjp(self, function: Callable[[], Pictures], variables: Variables) -> tuple[Pictures, Backward]:
        pure = self._pure(lambda: (function(), None), variables)
        samples, backward, (_, others) = jax.vjp(pure, _values(variables), has_aux=True)
        self._assign_others(others, variables)
        return samples, lambda cotangent: backward(cotangent)[0]

    def per_example_gradients(self, function: Callable[[Pictures], Tensor], x: Pictures) -> Pictures:
        return jax.grad(lambda x: function(x).sum())(x)

    def _pure(self, objective: Objective, variables: Variables) -> Callable[[list[Tensor]], tuple[Tensor, Any]]:
        everything = self.state.variables

        def pure(values: list[Tensor]) -> tuple[Tensor, Any]:
            now = [*zip(everything, _values(everything), strict=True), *zip(variables, values, strict=True)]
            with keras.StatelessScope(state_mapping=now):
                loss, aux = objective()
                return loss, (aux, _values(self._others(variables)))

        return pure

    def _assign_others(self, others: list[Tensor], variables: Variables) -> None:
        for variable, value in zip(self._others(variables), others, strict=True):
            variable.assign(value)

    def _others(self, variables: Variables) -> Variables:
        """All variables but `variables`, such as batch norm statistics."""
        named = {id(variable) for variable in variables}
        return [variable for variable in self.state.variables if id(variable) not in named]


def compile_with(update: Callable[[dict[str, Tensor]], Tensor], state: TrainState, *, xla: bool) -> Callable:
    """Compile `update` into a function from arrays to its metrics that updates `state`; JAX always uses XLA."""
    variables = state.variables  # looked up once: it takes longer than a small step

    def pure(values: list[Tensor], arrays: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            metrics = update(arrays)
            return metrics, _values(variables)

    traced = jax.jit(pure, donate_argnums=0)

    def run(arrays: dict[str, Any]) -> Tensor:
        metrics, values = traced(_values(variables), arrays)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return metrics

    return run


def _values(variables: Variables) -> list[Tensor]:
    return [variable.value for variable in variables]
