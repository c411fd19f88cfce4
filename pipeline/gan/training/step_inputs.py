"""The inputs of each step: its plan, reals, latents, noise and learning rates.

They are a pure function of the definition, the seed and the number of the step, except for the skipping of D by its
average accuracy and the scale of the learning rates after a roll back or at a plateau. Reals may be in the memory of
the GPU; the next step's inputs are prepared while a step runs.
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
from pipeline.gan.latents import choose_classes
from pipeline.gan.training.augment import DRAWS, MIRROR
from pipeline.gan.training.phase import FIRST, Clock, Phase
from pipeline.gan.training.schedule import ema_share, images_until_full_size, rate_at, stage_at
from pipeline.gan.validation import MIN_IMAGES
from pipeline.images.packed import Images, PackedImages


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The order of `count` pictures over all epochs. An epoch leaves out the few pictures that fill no batch.

    A step takes `turns` batches, one for each time that D learns; an epoch has as many steps as it takes to see every
    picture once, rounded up.
    """

    count: int
    max_batch: int
    seed: int
    turns: int = 1
    phase: Phase = FIRST

    @property
    def batch(self) -> int:
        """Pictures in one batch: `max_batch`, or all of them if there are fewer."""
        return min(self.max_batch, self.count)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return -(-(self.count // self.batch) // self.turns)

    @property
    def images_per_step(self) -> int:
        """Pictures that D sees in one step."""
        return self.batch * self.turns

    @property
    def clock(self) -> Clock:
        """Which step belongs to which epoch."""
        return Clock(steps=self.steps, first_step=self.phase.step, first_epoch=self.phase.epoch)

    def images_seen(self, number: int) -> int:
        """Images that D has seen after `number` steps, in this phase or one step before it."""
        steps = number - self.phase.step
        return self.phase.images + steps * (self.images_per_step if steps >= 0 else self.phase.before)

    def next_phase(self, number: int, *, batch: int) -> Phase:
        """The phase that begins after `number` steps, with batches of another size."""
        before = self.images_per_step if number > self.phase.step else self.phase.before
        start = {"step": number, "epoch": self.clock.epochs_after(number), "images": self.images_seen(number)}
        return self.phase.model_copy(update={**start, "before": before, "batch": batch})

    def batch_indices(self, number: int) -> np.ndarray:
        """The indices (turns, batch) of the pictures of step `number`, which counts from 0 over all epochs."""
        first = (number - self.phase.step) * self.turns
        return np.stack([self._of_turn(first + turn) for turn in range(self.turns)])

    def _of_turn(self, number: int) -> np.ndarray:
        """The indices (batch,) of turn `number` of the phase."""
        epoch, position = divmod(number, self.count // self.batch)
        order = _permutation(self.count, self.seed, self.phase.epoch + epoch)
        return order[position * self.batch : (position + 1) * self.batch]


def check_count(count: int) -> None:
    """Raise a `UserError` that says what to do if `count` pictures are too few to train on."""
    if count < MIN_IMAGES:
        raise UserError(
            f"{count} pictures were kept and a GAN needs at least {MIN_IMAGES}, some hundreds for good samples:"
            " download more, or lower the threshold of filter"
        )


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The random numbers of one step, float32: D's `k` turns come first, G's turn last.

    G uses the latents of D's last turn.
    """

    latents: np.ndarray  # (k, B, latent), standard normal
    draws: np.ndarray  # (2k + 1, B, DRAWS) in [0, 1): for D's reals and fakes of each turn, then for G's fakes
    mix: np.ndarray  # (k, B) in [0, 1): positions between fakes and reals for the gradient penalty


def make_noise(number: int, *, seed: int, turns: int, batch: int, latent: int) -> Noise:
    """The noise of step `number`; it depends on the arguments only."""
    rng = np.random.default_rng((seed, number, *b"step"))
    return Noise(
        latents=rng.standard_normal((turns, batch, latent), np.float32),
        draws=rng.random((2 * turns + 1, batch, DRAWS), np.float32),
        mix=rng.random((turns, batch), np.float32),
    )


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What one step does. Steps with equal plans share one compiled function."""

    stage: int = 0  # of a growing GAN, counted from the coarsest
    fading: bool = False  # whether that stage is still fading in
    learn: bool = True  # whether D learns, or is only evaluated
    gradient: bool = False  # whether the gradient penalty is due
    r1: bool = False
    r2: bool = False


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """The arrays of one step, for `k` turns of D."""

    reals: Any  # (k, B, S, S, C) uint8, a NumPy array or already on the device
    noise: Noise
    rates: tuple[float, float]  # learning rates of G and D
    share: float  # by which the averaged generator moves towards the generator
    fade: float = 1.0  # weight of the stage that is fading in
    classes: np.ndarray | None = None  # (k, B) int32 of the reals, which are those of the fakes too

    def scale_rates(self, scales: tuple[float, float]) -> "StepInputs":
        """A copy with the learning rates of G and D multiplied by `scales`."""
        return dataclasses.replace(self, rates=(self.rates[0] * scales[0], self.rates[1] * scales[1]))

    def arrays(self) -> dict[str, Any]:
        """The arrays by name, as the compiled function takes them."""
        numbers = {"rates": self.rates, "share": self.share, "fade": self.fade}
        floats = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
        classes = {} if self.classes is None else {"classes": self.classes}
        return {"reals": self.reals, **vars(self.noise), **floats, **classes}


MEMORY_SHARE = 4  # at most a quarter of the device's memory: the rest is for the networks and their activations
ASSUMED_MEMORY = 4 * 2**30  # bytes that a GPU is assumed to have if its backend does not report them
WORD_BYTES = 4  # of the float32 words that TensorFlow gathers


class DeviceImages:
    """A copy of `images` (N, S, S, C) uint8 on the device. Indexed with (..., B), it gives (..., B, S, S, C)."""

    def __init__(self, images: np.ndarray) -> None:
        self._gather = (_on_jax if backend() == "jax" else _on_tensorflow)(images)

    def __getitem__(self, indices: np.ndarray) -> Any:
        return self._gather(indices.astype(np.int32))


def keep_on_device(images: Images) -> Images | DeviceImages:
    """Copy `images` (N, S, S, C) uint8 to the GPU if there is one and they fit; otherwise return them as they are.

    Those of a packed file stay there: they would pass through the memory of this process.
    """
    limit = memory_limit()
    if isinstance(images, PackedImages) or images.nbytes > limit or not _is_word_aligned(images):
        return images
    return DeviceImages(images)


def memory_limit() -> int:
    """The maximum bytes of pictures on the GPU; 0 without a GPU, where device and host share the memory."""
    if backend() == "jax":
        import jax

        first = jax.local_devices()[0]
        memory = (first.memory_stats() or {}).get("bytes_limit", ASSUMED_MEMORY) if first.platform == "gpu" else 0
    else:
        memory = ASSUMED_MEMORY if has_gpu() else 0
    return memory // MEMORY_SHARE


def _is_word_aligned(images: np.ndarray) -> bool:
    return math.prod(images.shape[1:]) % WORD_BYTES == 0


def _on_jax(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    import jax

    stored = jax.numpy.asarray(images)
    gather = jax.jit(lambda stored, indices: stored.at[indices].get(mode="promise_in_bounds"))
    return lambda indices: gather(stored, indices)


def _on_tensorflow(images: np.ndarray) -> Callable[[np.ndarray], Any]:
    """Gather pictures as words of float32: TensorFlow gathers floats on every GPU, but may send bytes to the host.

    The words are copied and never computed with, so it does not matter which numbers they are.
    """
    import tensorflow as tf

    shape = images.shape[1:]
    words = np.ascontiguousarray(images).reshape(len(images), -1).view(np.float32)
    with tf.device("GPU:0" if has_gpu() else "CPU:0"):
        stored = tf.constant(words)

    def gather(indices: np.ndarray) -> Any:
        return tf.reshape(tf.bitcast(tf.gather(stored, indices), tf.uint8), (*indices.shape, *shape))

    return gather


@dataclass(frozen=True, kw_only=True)
class StepPlanner:
    """Plans the steps of one training on `images` (N, S, S, C) uint8, which may be on the device.

    `steps` is the total number of steps, `stages` the number of sides of a growing GAN. `labels` (N,) are the classes
    of the pictures, from 0 to `classes` - 1, for a conditional GAN. Unless it `mirrors`, no picture is mirrored.
    """

    definition: Definition
    images: Images | DeviceImages
    batches: Batches
    steps: int
    stages: int
    labels: np.ndarray | None = None
    classes: int = 0
    mirrors: bool = True

    def check_growth(self) -> None:
        """Raise a `UserError` that says what to do if a growing GAN would not reach full size."""
        if self.is_full_size(self.steps - 1):
            return
        needed = images_until_full_size(self.definition.growing, stages=self.stages)
        batches, phase = self.batches, self.batches.phase
        missing = needed + batches.images_per_step - phase.images
        epochs = phase.epoch - (-missing // (batches.steps * batches.images_per_step))
        raise UserError(
            f"growing reaches full size after {needed} images, and this training sees {self.images_seen(self.steps)}:"
            f" set epochs to {epochs} or more, or lower growing.fade and growing.hold"
        )

    def plan(self, number: int, *, learn: bool) -> StepPlan:
        """The plan of step `number`."""
        stage = stage_at(self.definition.growing, seen=self.images_seen(number), stages=self.stages)
        rules = self.definition.penalties
        due = {
            name: rule.weight > 0 and number % rule.every == 0
            for name, rule in (("gradient", rules.gradient), ("r1", rules.r1), ("r2", rules.r2))
        }
        return StepPlan(stage=stage.index, fading=stage.fading, learn=learn, **due)

    def inputs(self, number: int) -> StepInputs:
        """The inputs of step `number`."""
        definition, batches = self.definition, self.batches
        indices, size = batches.batch_indices(number), definition.latent + self.classes
        noise = make_noise(number, seed=batches.seed, turns=batches.turns, batch=batches.batch, latent=size)
        if not self.mirrors:
            noise.draws[..., MIRROR] = 0.0
        classes = None if self.labels is None else self.labels[indices].astype(np.int32)
        if classes is not None:
            noise = dataclasses.replace(noise, latents=choose_classes(noise.latents, classes, self.classes))
        ema = {"half_life": definition.ema.half_life, "ramp": definition.ema.ramp}
        return StepInputs(
            reals=self.images[indices],
            noise=noise,
            classes=classes,
            rates=self.rates(number),
            share=ema_share(**ema, seen=self.images_seen(number + 1), batch=batches.images_per_step),
            fade=stage_at(definition.growing, seen=self.images_seen(number), stages=self.stages).fade,
        )

    def is_full_size(self, number: int) -> bool:
        """Whether step `number` is at full size, with no side fading in."""
        return self.images_seen(number) >= images_until_full_size(self.definition.growing, stages=self.stages)

    def rates(self, number: int) -> tuple[float, float]:
        """The learning rates of G and D at step `number`."""
        networks, seen, total = self.definition, self.images_seen(number), self.images_seen(self.steps)
        optimizers = (networks.generator.optimizer, networks.discriminator.optimizer)
        g_rate, d_rate = (rate_at(optimizer, seen=seen, total=total) for optimizer in optimizers)
        return g_rate, d_rate

    def images_seen(self, number: int) -> int:
        """Images that D has seen after `number` steps."""
        return self.batches.images_seen(number)


T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Calls `make(number)` in a thread, one number ahead; for an unexpected number it calls `make` at once."""

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._ahead: tuple[int, Future[T]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeder")

    def take(self, number: int) -> T:
        """The result of `make(number)`; starts to make that of the next number."""
        expected, future = self._ahead or (None, None)
        result = future.result() if future is not None and expected == number else self._make(number)
        self._ahead = (number + 1, self._thread.submit(self._make, number + 1))
        return result

    def __enter__(self) -> "Prefetcher[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
