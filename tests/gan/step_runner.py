"""Runs training steps of tiny GANs without a folder and a training loop, on either backend."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, StepPlan, StepPlanner
from pipeline.gan.training.train_step import METRICS, compile_step
from tests.gan.drawn_discs import draw_discs

BATCH = 8
NARROW = {"width": 4, "max_width": 8}


def define(tree: dict[str, Any] | None = None) -> Definition:
    """The definition `tree`, narrow, in float32 and without mirrored pictures unless it says otherwise."""
    tree = {"latent": 6, "batch": BATCH, "precision": "float32"} | (tree or {})
    parts = {name: NARROW | tree.get(name, {}) for name in ("generator", "discriminator")}
    parts["augment"] = {"flip": "never"} | tree.get("augment", {})
    return Definition.model_validate_json(json.dumps(tree | parts))


@dataclass
class StepRunner:
    """A GAN and its steps, `steps` in all; it starts from the arrays `start`, if given.

    TensorFlow takes longer to trace a step than to run ten without a graph, so steps are traced only if `traced`.
    Trainings, and so their tests, always trace them.
    """

    definition: Definition
    seed: int = 0
    steps: int = 12
    size: int = 16
    dtype: str = "float32"
    start: dict[str, np.ndarray] | None = None
    classes: int = 0  # of the pictures, in turn
    traced: bool = False
    state: TrainState = field(init=False)

    def __post_init__(self) -> None:
        first = self.seed if self.start is None else self.seed + 1000  # other weights, all to be overwritten
        shape = {"size": self.size, "channels": 3, "classes": self.classes}
        self.state = TrainState(self.definition, **shape, seed=first, dtype=self.dtype)
        if self.start is not None:
            self.state.restore(self.start)
        images, turns = draw_discs(24, size=self.size), self.definition.balance.discriminator_steps
        self.step_planner = StepPlanner(
            definition=self.definition,
            images=images,
            batches=Batches(count=len(images), max_batch=self.definition.batch, seed=self.seed, turns=turns),
            steps=self.steps,
            stages=len(self.state.generator.settled),
            labels=np.arange(len(images)) % self.classes if self.classes else None,
            classes=self.classes,
        )
        self._step = compile_step(self.state)

    def plan(self, number: int, *, learn: bool = True) -> StepPlan:
        """The plan of step `number`."""
        return self.step_planner.plan(number, learn=learn)

    def run(self, numbers: Iterable[int], *, learn: bool = True) -> list[dict[str, float]]:
        """Run the steps `numbers`; the metrics of each."""
        with nullcontext() if self.traced else _without_graphs():
            taken = [self._step(self.plan(number, learn=learn), self.step_planner.inputs(number)) for number in numbers]
        return [dict(zip(METRICS, metrics.tolist(), strict=True)) for metrics in taken]


@contextmanager
def _without_graphs() -> Iterator[None]:
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether both have the same arrays, bit-identical."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
