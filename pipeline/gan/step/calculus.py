"""The derivatives that a step needs, which each backend takes in its own way."""

from collections.abc import Callable
from typing import Any, Protocol

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own
Variables = list[keras.Variable]
Objective = Callable[[], tuple[Tensor, Any]]  # a loss, and what else is worth knowing


class Calculus(Protocol):
    """Derivatives of functions that call Keras models, which may change batch norm statistics on the way."""

    def by_variables(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        """The second value of `objective()`, and the gradients of the first by `variables`; 0 where unused."""

    def by_input(self, objective: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor) -> tuple[Any, Tensor]:
        """The second value of `objective(x)`, and the gradient of the first by `x`."""

    def pull(self, draw: Callable[[], Tensor], variables: Variables) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        """`draw()`, and what turns a gradient by it into gradients by `variables`."""

    def slopes(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The gradient of each of `function(x)` (B, 1) by its own x; may itself be differentiated."""
