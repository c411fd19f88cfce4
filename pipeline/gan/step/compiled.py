"""A step of training, compiled for the backend that Keras runs on."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.gan.runtime import keras
from pipeline.gan.state import TrainState
from pipeline.gan.step.calculus import Tensor
from pipeline.gan.step.plan import Inputs, Plan
from pipeline.gan.step.update import update


@dataclass(frozen=True)
class Step:
    """Moves one `TrainState`. `compiled` gives the function of a plan."""

    compiled: Callable[[Plan], Callable]

    def __call__(self, plan: Plan, inputs: Inputs) -> np.ndarray:
        """Take one step, and wait for its METRICS, float32."""
        return np.asarray(self.start(plan, inputs))

    def start(self, plan: Plan, inputs: Inputs) -> Tensor:
        """Take one step without waiting until the device has done it: its METRICS as a tensor of the backend."""
        return self.compiled(plan)(inputs.arrays())


def compile_step(state: TrainState, *, xla: bool = False) -> Step:
    """What moves `state` by one step. Each plan is compiled when it first comes up."""
    if keras.backend.backend() == "jax":
        from pipeline.gan.step import jax as backend

        calculus = backend.PureCalculus(state)
    else:
        from pipeline.gan.step import tensorflow as backend

        calculus = backend.TapeCalculus()

    @functools.cache
    def compiled(plan: Plan) -> Callable:
        return backend.compile_with(functools.partial(_update, plan), state, xla=xla)

    def _update(plan: Plan, arrays: dict) -> object:
        return update(state, plan, arrays, calculus)

    return Step(compiled)
