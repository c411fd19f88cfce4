"""A step of training, compiled for the backend that Keras runs on."""

import functools
from collections.abc import Callable

import numpy as np

from pipeline.gan.runtime import keras
from pipeline.gan.state import TrainState
from pipeline.gan.step.plan import Inputs, Plan
from pipeline.gan.step.update import update

Step = Callable[[Plan, Inputs], np.ndarray]  # METRICS of one step, float32


def compile_step(state: TrainState, *, xla: bool = False) -> Step:
    """A function that moves `state` by one step. Each plan is compiled when it first comes up."""
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

    return lambda plan, inputs: compiled(plan)(inputs.arrays())
