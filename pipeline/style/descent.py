"""Follow the gradient on the pixels: Adam, or L-BFGS by SciPy. Pixels stay in [0, 1].

Both work in pieces of some steps. All that a piece depends on is in the arrays of the state before it, so a run that
is resumed between two pieces makes the same picture bit for bit.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from pipeline.style.objective import Objective, Value

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8  # of Adam; its usual 0.999 remembers longer than a level lasts
FALL_FROM, FALLEN = 0.7, 0.3  # after this part of a level the learning rate is multiplied by that
SEGMENT = 10  # steps of L-BFGS between two starts; it remembers as many
FIELDS = ("picture", "mean", "square")

State = dict[str, np.ndarray]  # the picture (H, W, 3) float32, and for Adam two means of its gradient
AfterStep = Callable[[int, np.ndarray, Value], None]  # number of the step in its level, picture after it, its losses


class Descent(Protocol):
    """Takes the steps of one level, `segment` at once."""

    segment: int

    def start(self, picture: np.ndarray) -> State:
        """The state before the first step of a level."""

    def advance(self, state: State, done: int, count: int, after_step: AfterStep) -> State:
        """Take `count` steps after `done` steps of this level; returns the new state."""


class Adam:
    """Adam on the pixels (Kingma and Ba 2015); what leaves [0, 1] is brought back after each step."""

    segment = 1

    def __init__(self, objective: Objective, *, learning_rate: float, steps: int) -> None:
        self._objective, self._rate, self._steps = objective, learning_rate, steps

    def start(self, picture: np.ndarray) -> State:
        """The picture, and means that are 0."""
        return {"picture": picture, "mean": np.zeros_like(picture), "square": np.zeros_like(picture)}

    def advance(self, state: State, done: int, count: int, after_step: AfterStep) -> State:
        """Take `count` steps."""
        picture, mean, square = (state[name] for name in FIELDS)
        for number in range(done + 1, done + count + 1):
            value = self._objective(picture, number)
            mean = np.float32(BETA1) * mean + np.float32(1 - BETA1) * value.gradient
            square = np.float32(BETA2) * square + np.float32(1 - BETA2) * np.square(value.gradient)
            rate = self._rate * (1 if number <= FALL_FROM * self._steps else FALLEN)
            step = np.float32(rate / (1 - BETA1**number)) * mean
            picture = np.clip(picture - step / (np.sqrt(square / np.float32(1 - BETA2**number)) + EPSILON), 0, 1)
            picture = picture.astype(np.float32)
            after_step(number, picture, value)
        return {"picture": picture, "mean": mean, "square": square}


class Lbfgs:
    """L-BFGS-B by SciPy (Zhu et al. 1997), started again every SEGMENT steps, with the bounds 0 and 1."""

    segment = SEGMENT

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def start(self, picture: np.ndarray) -> State:
        """The picture alone."""
        return {"picture": picture}

    def advance(self, state: State, done: int, count: int, after_step: AfterStep) -> State:
        """Take `count` steps. If none lowers the sum of the losses any more, those that are left change nothing."""
        shape = state["picture"].shape
        latest: list[Value] = []
        number = done

        def value_of(picture: np.ndarray) -> Value:
            # One position for the whole segment: L-BFGS needs the same function at every point
            return self._objective(picture, done // SEGMENT)

        def compute(pixels: np.ndarray) -> tuple[float, np.ndarray]:
            latest[:] = [value_of(pixels.reshape(shape).astype(np.float32))]
            return latest[0].total, latest[0].gradient.ravel().astype(np.float64)

        def accepted(pixels: np.ndarray) -> None:
            nonlocal number
            number += 1
            after_step(number, pixels.reshape(shape).astype(np.float32), latest[0])

        found = minimize(
            compute,
            state["picture"].ravel().astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * state["picture"].size,
            callback=accepted,
            options={"maxiter": count, "maxcor": SEGMENT, "ftol": 0, "gtol": 0, "maxfun": 10 * count},
        )
        picture = found.x.reshape(shape).astype(np.float32)
        if number < done + count:
            last = value_of(picture)
            for left in range(number + 1, done + count + 1):
                after_step(left, picture, last)
        return {"picture": picture}
