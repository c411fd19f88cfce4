"""The step on JAX: Keras' stateless scopes around pure functions, compiled by XLA."""

from collections.abc import Callable
from typing import Any

import jax

from pipeline.devices import keras
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.train_step import Objective, Tensor, Variables


class PureAutodiff:
    """A `Autodiff` inside one stateless scope: each function runs in a scope of its own that starts where that one is,
    and what it changes besides `variables` is carried out."""

    def __init__(self, state: TrainState) -> None:
        self.state = state

    def by_variables(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        pure = self._pure(objective, variables)
        (_, (aside, changed)), gradients = jax.value_and_grad(pure, has_aux=True)(_values(variables))
        self._carry_out(changed, variables)
        return aside, gradients

    def by_input(self, objective: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor) -> tuple[Any, Tensor]:
        def pure(x: Tensor) -> tuple[Tensor, Any]:
            loss, more = self._pure(lambda: objective(x), [])([])
            return loss, more

        (_, (aside, changed)), gradient = jax.value_and_grad(pure, has_aux=True)(x)
        self._carry_out(changed, [])
        return aside, gradient

    def pull(self, draw: Callable[[], Tensor], variables: Variables) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        pure = self._pure(lambda: (draw(), None), variables)
        drawn, back, (_, changed) = jax.vjp(pure, _values(variables), has_aux=True)
        self._carry_out(changed, variables)
        return drawn, lambda by_drawn: back(by_drawn)[0]

    def slopes(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return jax.grad(lambda x: function(x).sum())(x)

    def _pure(self, objective: Objective, variables: Variables) -> Callable[[list[Tensor]], tuple[Tensor, Any]]:
        everything = self.state.variables

        def pure(values: list[Tensor]) -> tuple[Tensor, Any]:
            now = [*zip(everything, _values(everything), strict=True), *zip(variables, values, strict=True)]
            with keras.StatelessScope(state_mapping=now):
                loss, aside = objective()
                return loss, (aside, _values(self._others(variables)))

        return pure

    def _carry_out(self, changed: list[Tensor], variables: Variables) -> None:
        for variable, value in zip(self._others(variables), changed, strict=True):
            variable.assign(value)

    def _others(self, variables: Variables) -> Variables:
        """All but `variables`: batch norm statistics among them."""
        named = {id(variable) for variable in variables}
        return [variable for variable in self.state.variables if id(variable) not in named]


def compile_with(update: Callable[[dict[str, Tensor]], Tensor], state: TrainState, *, xla: bool) -> Callable:
    """`update` as a function from arrays to its metrics; it changes `state`. JAX always compiles with XLA."""
    variables = state.variables  # looked up once: a small step is over sooner than they are found

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
