"""One figure of gpu_check.py: the project's training step on whatever device Keras' backend has."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gan_step import described
from benchmarks.gpu_device import facts, peak_memory
from benchmarks.turns import time_turns
from pipeline.devices import choose_dtype, keras, prepare_devices
from pipeline.gan.config import Definition
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, DeviceImages, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import Step, compile_step
from pipeline.gan.tuning import share_cores

PICTURES = 2048
MOST = 256 * 2**20  # bytes of pictures: those of 256 px are fewer
BARE_TURNS = 3


def measure_step(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Tell the device, then the figures of `job`: side, batch, precision, model, width, xla, and seconds of a turn."""
    definition = defined(job)
    prepare_devices(share_cores(definition, size=job["side"]))
    tell(device=facts())
    director = directed(definition, side=job["side"])
    state = TrainState(definition, size=job["side"], channels=3, seed=0, dtype=choose_dtype(job["precision"]))
    tell(
        **figures(director, compile_step(state, xla=job["xla"]), seconds=job["seconds"]),
        batch=director.batches.batch,
        generator_weights=_count(state.generator.trainable_variables),
        discriminator_weights=_count(state.discriminator.trainable_variables),
        pictures_on_device=isinstance(director.images, DeviceImages),
        peak_bytes=peak_memory(),
    )


def defined(job: dict[str, Any]) -> Definition:
    """The definition that `job` names, or the DCGAN of 2016; of another batch and width where it says so."""
    definition = described(job["model"], batch=job["batch"] or 64)
    update: dict[str, Any] = {"batch": job["batch"]} if job["batch"] else {}
    if width := job["width"]:
        for name in ("generator", "discriminator"):
            update[name] = getattr(definition, name).model_copy(update={"width": width})
    return definition.model_copy(update=update | {"precision": job["precision"]})


def noise_pictures(count: int, *, side: int) -> np.ndarray:
    """(N, side, side, 3) uint8: what pictures show takes no time."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def directed(definition: Definition, *, side: int) -> StepPlanner:
    """A training on noise, on the device where a training would have it there."""
    turns = definition.balance.discriminator_steps
    count = max(min(PICTURES, MOST // (side * side * 3)), definition.batch * turns)
    batches = Batches(count=count, wanted=definition.batch, seed=0, turns=turns)
    images = keep_on_device(noise_pictures(count, side=side))
    return StepPlanner(definition=definition, images=images, batches=batches, steps=10**6, stages=1)


def figures(director: StepPlanner, step: Step, *, seconds: float) -> dict[str, float]:
    """What a step takes as a training takes it, each with its own inputs, its metrics waited for; and alone.

    Alone means that the same inputs lie on the device and steps queue up there, so that it never waits for the host.
    """
    number = 0

    def take(steps: int) -> None:
        nonlocal number
        for _ in range(steps):
            step(director.plan(number, learn=True), feeder.take(number))
            number += 1

    with Prefetcher(director.inputs) as feeder:
        begun = time.perf_counter()
        take(1)
        compiled = time.perf_counter() - begun
        timing = time_turns(take, seconds=seconds)
    alone = _alone(director, step, seconds=seconds)
    return {
        "images_per_second": director.batches.seen / timing.median,
        "slowest_images_per_second": director.batches.seen / timing.slowest,
        "fastest_images_per_second": director.batches.seen / timing.fastest,
        "ms_per_step": 1000 * timing.median,
        "ms_alone": 1000 * alone,
        "share_in_step": min(1.0, alone / timing.median),
        "compile_seconds": compiled,
    }


def _alone(director: StepPlanner, step: Step, *, seconds: float) -> float:
    """Seconds a step where the host prepares and fetches nothing."""
    plan, inputs = director.plan(0, learn=True), _on_device(director.inputs(0))

    def take(steps: int) -> None:
        for _ in range(steps):
            metrics = step.start(plan, inputs)
        np.asarray(metrics)

    return time_turns(take, seconds=seconds, turns=BARE_TURNS).median


def _on_device(inputs: StepInputs) -> StepInputs:
    put = keras.ops.convert_to_tensor
    noise = {name: put(array) for name, array in vars(inputs.noise).items()}
    return dataclasses.replace(inputs, reals=put(inputs.reals), noise=dataclasses.replace(inputs.noise, **noise))


def _count(variables: list[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)
