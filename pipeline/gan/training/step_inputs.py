"""The inputs of each step: its plan, reals, latents, noise and learning rates.

They are a pure function of the definition, the seed and the number of the step, except for D's accuracy average and the
factor on the learning rates after a roll back. Reals may live in the memory of the GPU; the next step's inputs are
prepared while a step runs.
"""

import dataclasses
import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Generic, TypeVar

import numpy as np

from pipeline.devices import backend, has_gpu
from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.training.augment import DRAWS
from pipeline.gan.training.schedule import ema_share, grown_after, rate_at, stage_at

FEWEST = 16  # with fewer there is nothing to tell apart, and batch norm has nothing to average


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The order of `count` pictures over all epochs. An epoch leaves out the few that fill no batch of `wanted`.

    A step takes `turns` batches, one for each time that D learns; an epoch is the steps that see every picture once,
    rounded up.
    """

    count: int
    wanted: int
    seed: int
    turns: int = 1

    @property
    def batch(self) -> int:
        """Pictures in one batch: all of them when there are too few."""
        return min(self.wanted, self.count)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return -(-(self.count // self.batch) // self.turns)

    @property
    def seen(self) -> int:
        """Pictures that one step sees."""
        return self.batch * self.turns

    def of_step(self, number: int) -> np.ndarray:
        """The places of the pictures that step `number`, counted from 0 over all epochs, sees; (turns, batch)."""
        return np.stack([self._of_turn(number * self.turns + turn) for turn in range(self.turns)])

    def _of_turn(self, number: int) -> np.ndarray:
        epoch, place = divmod(number, self.count // self.batch)
        return _order(self.count, self.seed, epoch)[place * self.batch : (place + 1) * self.batch]


def check_count(count: int) -> None:
    """Raise a `UserError` that says what to do, unless `count` pictures are enough to train on."""
    if count < FEWEST:
        raise UserError(
            f"{count} pictures were kept and a GAN needs at least {FEWEST}, some hundreds to be any good:"
            " download more, or lower the threshold of filter"
        )


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """float32. D's `k` turns come first, G's turn last; G's pictures are those of D's last turn."""

    latents: np.ndarray  # (k, B, latent), standard normal
    draws: np.ndarray  # (2k + 1, B, DRAWS) in [0, 1): for D's reals and fakes of each turn, then for G's fakes
    mix: np.ndarray  # (k, B) in [0, 1): places between reals and fakes


def noise_of(number: int, *, seed: int, turns: int, batch: int, latent: int) -> Noise:
    """The noise of step `number`."""
    draw = np.random.default_rng((seed, number, *b"step"))
    return Noise(
        latents=draw.standard_normal((turns, batch, latent), np.float32),
        draws=draw.random((2 * turns + 1, batch, DRAWS), np.float32),
        mix=draw.random((turns, batch), np.float32),
    )


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What one step does. Steps of equal plans share one compiled function."""

    stage: int = 0  # of a growing GAN, counted from the coarsest
    fading: bool = False  # whether that stage is still coming in
    learn: bool = True  # whether D learns, or is only asked
    gradient: bool = False  # whether the gradient penalty is due
    r1: bool = False
    r2: bool = False


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """The numbers of one step, for `k` turns of D."""

    reals: Any  # (k, B, S, S, C) uint8, of NumPy or on the device already
    noise: Noise
    rates: tuple[float, float]  # learning rates of G and D
    share: float  # by which the averaged generator moves towards the generator
    fade: float = 1.0  # of the stage that is coming in

    def careful(self, caution: float) -> "StepInputs":
        """The same with both learning rates multiplied by `caution`."""
        return dataclasses.replace(self, rates=(self.rates[0] * caution, self.rates[1] * caution))

    def arrays(self) -> dict[str, Any]:
        """As the compiled function takes them."""
        numbers = {"rates": self.rates, "share": self.share, "fade": self.fade}
        floats = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
        return {"reals": self.reals, **vars(self.noise), **floats}


SHARE = 4  # at most a quarter of the device's memory: the rest is for the networks and what flows between their layers
LEAST = 4 * 2**30  # bytes of memory that a GPU is taken to have where its backend does not say
WORD = 4  # bytes that TensorFlow gathers at a time


class DeviceImages:
    """A copy of `images` (N, S, S, C) uint8 on the device. Indexed by places (..., B), it gives (..., B, S, S, C)."""

    def __init__(self, images: np.ndarray) -> None:
        self._gather = (_on_jax if backend() == "jax" else _on_tensorflow)(images)

    def __getitem__(self, places: np.ndarray) -> Any:
        return self._gather(places.astype(np.int32))


def keep_on_device(images: np.ndarray) -> np.ndarray | DeviceImages:
    """`images` (N, S, S, C) uint8 on the GPU, if there is one and they fit; else as they are, on the host."""
    limit = memory_limit()
    return DeviceImages(images) if limit and images.nbytes <= limit and _in_words(images) else images


def memory_limit() -> int:
    """How many bytes of pictures the GPU may hold; 0 without a GPU, where the device's memory is the host's."""
    if backend() == "jax":
        import jax

        first = jax.local_devices()[0]
        memory = (first.memory_stats() or {}).get("bytes_limit", LEAST) if first.platform == "gpu" else 0
    else:
        memory = LEAST if has_gpu() else 0
    return memory // SHARE


def _in_words(images: np.ndarray) -> bool:
    return math.prod(images.shape[1:]) % WORD == 0


def _on_jax(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    import jax

    held = jax.numpy.asarray(images)
    gather = jax.jit(lambda held, places: held.at[places].get(mode="promise_in_bounds"))
    return lambda places: gather(held, places)


def _on_tensorflow(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    """As words of float32: TensorFlow gathers those on every GPU, and bytes it may send to the host. They are moved,
    never computed with, so that it does not matter what numbers they would be."""
    import tensorflow as tf

    shape = images.shape[1:]
    words = np.ascontiguousarray(images).reshape(len(images), -1).view(np.float32)
    with tf.device("GPU:0" if has_gpu() else "CPU:0"):
        held = tf.constant(words)

    def gather(places: np.ndarray) -> Any:
        return tf.reshape(tf.bitcast(tf.gather(held, places), tf.uint8), (*places.shape, *shape))

    return gather


@dataclass(frozen=True, kw_only=True)
class StepPlanner:
    """Of one training on `images` (N, S, S, C) uint8, which may be on the device, for `steps` steps in all; `stages`
    sides of a growing GAN."""

    definition: Definition
    images: np.ndarray | DeviceImages
    batches: Batches
    steps: int
    stages: int

    def check_growth(self) -> None:
        """Raise a `UserError` that says what to do, if the last sides of a growing GAN would never learn."""
        needed, in_all = grown_after(self.definition.growing, stages=self.stages), self.seen(self.steps)
        if not self.grown(self.steps - 1):
            raise UserError(
                f"growing comes to full size after {needed} images, and this training sees {in_all}: set epochs to"
                f" {-(-(needed + self.batches.seen) // self.seen(self.batches.steps))} or more, or lower growing.fade"
                " and growing.hold"
            )

    def plan(self, number: int, *, learn: bool) -> StepPlan:
        """What step `number` does."""
        stage = stage_at(self.definition.growing, seen=self.seen(number), stages=self.stages)
        rules = self.definition.penalties
        due = {
            name: rule.weight > 0 and number % rule.every == 0
            for name, rule in (("gradient", rules.gradient), ("r1", rules.r1), ("r2", rules.r2))
        }
        return StepPlan(stage=stage.index, fading=stage.fading, learn=learn, **due)

    def inputs(self, number: int) -> StepInputs:
        """The numbers that step `number` works with."""
        definition, batches = self.definition, self.batches
        ema = {"half_life": definition.ema.half_life, "ramp": definition.ema.ramp}
        return StepInputs(
            reals=self.images[batches.of_step(number)],
            noise=noise_of(
                number, seed=batches.seed, turns=batches.turns, batch=batches.batch, latent=definition.latent
            ),
            rates=self.rates(number),
            share=ema_share(**ema, seen=self.seen(number + 1), batch=batches.seen),
            fade=stage_at(definition.growing, seen=self.seen(number), stages=self.stages).fade,
        )

    def grown(self, number: int) -> bool:
        """Whether step `number` is on pictures of full size alone."""
        return self.seen(number) >= grown_after(self.definition.growing, stages=self.stages)

    def rates(self, number: int) -> tuple[float, float]:
        """The learning rates of G and D at step `number`."""
        networks, seen, total = self.definition, self.seen(number), self.seen(self.steps)
        optimizers = (networks.generator.optimizer, networks.discriminator.optimizer)
        g_rate, d_rate = (rate_at(optimizer, seen=seen, total=total) for optimizer in optimizers)
        return g_rate, d_rate

    def seen(self, number: int) -> int:
        """Images that D has seen after `number` steps."""
        return number * self.batches.seen


Made = TypeVar("Made")


class Prefetcher(Generic[Made]):
    """`make(number)` ahead of time, one number after the other; asked for another number, it makes that one at once."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._ahead: tuple[int, Future[Made]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeder")

    def take(self, number: int) -> Made:
        """What `make(number)` gives; the next number is begun."""
        expected, future = self._ahead or (None, None)
        made = future.result() if future is not None and expected == number else self._make(number)
        self._ahead = (number + 1, self._thread.submit(self._make, number + 1))
        return made

    def __enter__(self) -> "Prefetcher[Made]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
