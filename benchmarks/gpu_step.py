"""One job of gpu_check.py: the speed of ganmill's training step on the device of Keras' backend."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gan_step import load_definition
from benchmarks.gpu_device import facts, peak_memory
from benchmarks.turns import time_turns
from pipeline.devices import choose_dtype, keras, prepare_devices
from pipeline.gan.config import Definition
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, DeviceImages, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import Step, compile_step
from pipeline.gan.tuning import share_cores

PICTURES = 2048
MOST = 256 * 2**20  # bytes of all pictures
BARE_TURNS = 3


def measure_step(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Report the device and the speed for `job`: side, batch, precision, model, width, xla, and seconds of a turn."""
    definition = make_definition(job)
    prepare_devices(share_cores(definition, size=job["side"]))
    tell(device=facts())
    step_planner = plan_on_noise(definition, side=job["side"])
    state = TrainState(definition, size=job["side"], channels=3, seed=0, dtype=choose_dtype(job["precision"]))
    tell(
        **figures(step_planner, compile_step(state, xla=job["xla"]), seconds=job["seconds"]),
        batch=step_planner.batches.batch,
        generator_weights=_count(state.generator.trainable_variables),
        discriminator_weights=_count(state.discriminator.trainable_variables),
        pictures_on_device=isinstance(step_planner.images, DeviceImages),
        peak_bytes=peak_memory(),
    )


def make_definition(job: dict[str, Any]) -> Definition:
    """The definition that `job` names, or the DCGAN of 2016, with the batch and width of the job."""
    definition = load_definition(job["model"], batch=job["batch"] or 64)
    update: dict[str, Any] = {"batch": job["batch"]} if job["batch"] else {}
    if width := job["width"]:
        for name in ("generator", "discriminator"):
            update[name] = getattr(definition, name).model_copy(update={"width": width})
    return definition.model_copy(update=update | {"precision": job["precision"]})


def noise_pictures(count: int, *, side: int) -> np.ndarray:
    """Random pictures (N, side, side, 3) uint8: their contents do not affect the speed."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def plan_on_noise(definition: Definition, *, side: int) -> StepPlanner:
    """The step planner of a training on noise, on the device if a training would keep its pictures there."""
    turns = definition.balance.discriminator_steps
    count = max(min(PICTURES, MOST // (side * side * 3)), definition.batch * turns)
    batches = Batches(count=count, max_batch=definition.batch, seed=0, turns=turns)
    images = keep_on_device(noise_pictures(count, side=side))
    return StepPlanner(definition=definition, images=images, batches=batches, steps=10**6, stages=1)


def figures(step_planner: StepPlanner, step: Step, *, seconds: float) -> dict[str, float]:
    """The time of a step in a training, with new inputs each time and waiting for its metrics; and the time of a step
    alone.

    Alone means that the inputs are on the device and steps queue up there, so that it never waits for the host.
    """
    number = 0

    def take(steps: int) -> None:
        nonlocal number
        for _ in range(steps):
            step(step_planner.plan(number, learn=True), prefetcher.take(number))
            number += 1

    with Prefetcher(step_planner.inputs) as prefetcher:
        started = time.perf_counter()
        take(1)
        compiled = time.perf_counter() - started
        timing = time_turns(take, seconds=seconds)
    alone = _alone(step_planner, step, seconds=seconds)
    return {
        "images_per_second": step_planner.batches.images_per_step / timing.median,
        "slowest_images_per_second": step_planner.batches.images_per_step / timing.slowest,
        "fastest_images_per_second": step_planner.batches.images_per_step / timing.fastest,
        "ms_per_step": 1000 * timing.median,
        "ms_alone": 1000 * alone,
        "share_in_step": min(1.0, alone / timing.median),
        "compile_seconds": compiled,
    }


def _alone(step_planner: StepPlanner, step: Step, *, seconds: float) -> float:
    """Seconds of a step if the host prepares and fetches nothing."""
    plan, inputs = step_planner.plan(0, learn=True), _on_device(step_planner.inputs(0))

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
