"""The training loop: steps; at the end of an epoch a line of statistics, now and then samples and a checkpoint.

If a loss or weight becomes NaN, it rolls back to the last checkpoint with half the learning rates.
"""

from __future__ import annotations

import dataclasses
import json
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.devices import ComputeMode, choose_dtype, rounding
from pipeline.errors import DamagedState, Stopped
from pipeline.gan.config.__init__ import Definition, definition_digest
from pipeline.gan.config.resolutions import check_size
from pipeline.gan.sampling import GRID, draw, fixed_latents
from pipeline.gan.stats_log import STATS, Row, StatsLog
from pipeline.gan.training import recovery
from pipeline.gan.training.checkpoint import BestCheckpoint, checkpoints, newest, save_checkpoint
from pipeline.gan.training.losses import find_loss
from pipeline.gan.training.resume_point import ResumePoint, load_point, point_forms
from pipeline.gan.training.schedule import AccuracyAverage, Intervals, choose_intervals
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import METRICS, compile_step
from pipeline.progress import Progress, ShouldStop
from pipeline.store.npz import Foreign

if typing.TYPE_CHECKING:  # a benchmark trains where nobody looks, without what scores and plots are made with
    from pipeline.gan.training.observer import Observer

OF_PROBABILITIES = ("d_accuracy", "d_real", "d_fake", "d_sureness")
CHECKPOINTS, FINAL = "checkpoints", "final.npz"
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train and how often to look; but for schedules over `epochs`, no step depends on it."""

    epochs: int
    seed: int
    sample_every: int | None = None  # epochs; None for what suits
    checkpoint_every: int | None = None
    minutes: float = 0.0  # after which a training stops, to go on another time; 0: no limit
    xla: bool = False
    name: str = "dcgan"  # of the definition, for messages


class Trainer:
    """One training in one folder, on `images` (N, S, S, C) uint8, at the point where the folder's checkpoint is.

    What the next step does follows from `state`, `number` (steps done), `lead` and `caution`; the rest is bookkeeping.
    Without a checkpoint it begins with `state` as it is, or with a new one that computes in the `way` given. That of a
    checkpoint, `recorded_way`, has to be taken for the same bits.
    """

    def __init__(
        self,
        terms: TrainConfig,
        definition: Definition,
        images: np.ndarray,
        *,
        folder: Path,
        watch: Observer,
        state: TrainState | None = None,
        way: ComputeMode | None = None,
    ) -> None:
        self.terms, self.definition, self.images, self.folder, self.watch = terms, definition, images, folder, watch
        turns = definition.balance.discriminator_steps
        self.batches = Batches(count=len(images), wanted=definition.batch, seed=terms.seed, turns=turns)
        check_size(images.shape[1])
        shape = {"size": images.shape[1], "channels": images.shape[3]}
        self.way = way or ComputeMode(dtype=choose_dtype(definition.precision))
        self._rounding, built = rounding(self.way.dtype), {"seed": terms.seed, "dtype": self.way.dtype}
        self.state = state or self._guarded(lambda: TrainState(definition, **shape, **built))
        self.director = StepPlanner(
            definition=definition,
            images=images,
            batches=self.batches,
            steps=terms.epochs * self.batches.steps,
            stages=len(self.state.generator.settled),
        )
        self.latents = fixed_latents(GRID**2, size=definition.latent, seed=terms.seed)
        self.number, self.seconds = 0, 0.0  # steps done, and the seconds that those of this epoch took
        self.metrics: list[np.ndarray] = []  # of the steps of this epoch, METRICS each
        self.lead, self.caution, self.retries = AccuracyAverage(definition.balance), 1.0, 0
        self.note = ""  # on what happened since the last line
        self.forms = {**point_forms(self.batches, latent=definition.latent), **self.state.forms()}  # of its checkpoints
        self.best = BestCheckpoint(folder, self.forms)
        self._resume()
        self.log = StatsLog(folder / STATS, epochs_done=self.epoch)
        self._step = compile_step(self.state, xla=terms.xla)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.number // self.batches.steps

    @property
    def pace(self) -> Intervals:
        """How often it looks at its samples and saves its state."""
        asked = {"sample_every": self.terms.sample_every, "checkpoint_every": self.terms.checkpoint_every}
        return choose_intervals(**asked, epochs=self.terms.epochs, steps=self.batches.steps)

    def go_by(self, terms: TrainConfig, images: np.ndarray, watch: Observer) -> None:
        """Go on by other terms than so far: to more epochs, watched otherwise, on as many other `images`."""
        self.terms, self.images, self.watch = terms, images, watch
        self.director = dataclasses.replace(self.director, images=images, steps=terms.epochs * self.batches.steps)
        self.log.rewind(self.epoch)  # it may have been closed

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Train to the last epoch. Errors: `Stopped` after a checkpoint of this very step; `UserError` when losses are
        no numbers in spite of retries, or memory runs out."""
        until = time.monotonic() + 60 * self.terms.minutes if self.terms.minutes else None
        if self.number == 0:
            self._guarded(lambda: self.watch.begin(self.images, self.draw, self.latents), looking=True)
            self._save()
        # Only now: before it is run, a training may stand on pictures that take no memory
        near = dataclasses.replace(self.director, images=self._guarded(lambda: keep_on_device(self.images)))
        with Prefetcher(near.inputs) as feeder:
            while self.number < self.director.steps:
                if should_stop() or (until and time.monotonic() > until):
                    self._stop()
                self._one(feeder)
                progress(self.number, self.director.steps, self._told())

    def draw(self, latents: np.ndarray) -> np.ndarray:
        """What the averaged generator makes of `latents` (N, latent) as things stand; (N, S, S, C) uint8."""
        stage = self.director.plan(max(self.number - 1, 0), learn=True)
        pictures = draw(self.state.average.at(stage.stage, fading=stage.fading), latents)
        times = self.images.shape[1] // pictures.shape[1]  # a growing GAN draws small at first
        return pictures.repeat(times, axis=1).repeat(times, axis=2)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that going on from here depends on, and what the lines of this epoch will say."""
        # Which pictures and noise a step gets follows from the first two
        origin = {
            "seed": self.terms.seed,
            "images": self.images.shape,
            "name": self.terms.name,
            "definition": definition_digest(self.definition),
            "rounding": self._rounding,
            "precision": self.way.precision,
            "threads": [self.way.threads.within, self.way.threads.between],
        }
        numbers = {"seconds": self.seconds, "lead": self.lead.accuracy, "caution": self.caution}
        return {
            "step": np.int64(self.number),
            "retries": np.int64(self.retries),
            "metrics": self._metrics(),
            "latents": self.latents,
            "note": np.frombuffer(self.note.encode(), np.uint8),
            "origin": np.frombuffer(json.dumps(origin).encode(), np.uint8),
            **{name: np.float64(value) for name, value in numbers.items()},
            **self.state.arrays(),
        }

    def _one(self, feeder: Prefetcher[StepInputs]) -> None:
        """One step, and the end of the epoch if it is the last of one."""
        begun = time.perf_counter()
        plan, inputs = self.director.plan(self.number, learn=self.lead.learns), feeder.take(self.number)
        metrics = self._guarded(lambda: self._step(plan, inputs.careful(self.caution)))
        self.seconds += time.perf_counter() - begun
        self.metrics.append(metrics)
        if what := recovery.broken(metrics):
            return self._go_back(what, epoch=self.epoch + 1)
        self.lead.saw(float(metrics[METRICS.index("d_accuracy")]))
        self.number += 1
        if self.number % self.batches.steps == 0:
            self._end_epoch()

    def _guarded(self, call: Callable[[], Made], *, looking: bool = False) -> Made:
        """What `call`, a step or a look at samples, gives. Errors: `UserError` where memory runs out, or XLA cannot do
        it."""
        try:
            return call()
        except Exception as error:
            if recovery.out_of_memory(error) and looking:
                raise recovery.too_big_to_look(size=self.images.shape[1], definition=self.terms.name) from None
            if recovery.out_of_memory(error):
                told = {"batch": self.batches.batch, "size": self.images.shape[1], "definition": self.terms.name}
                raise recovery.too_big(**told) from None
            if self.terms.xla and recovery.without_kernel(error):
                raise recovery.no_xla(self.terms.name) from None
            raise

    def _end_epoch(self) -> None:
        """The line, then the look, then the checkpoint: after a kill in between, the same is written again."""
        final = self.epoch == self.terms.epochs
        looked = final or self.epoch % self.pace.look == 0
        due = final or self.epoch % self.pace.save == 0
        if (looked or due) and not self._is_sound():
            return self._go_back("a weight", epoch=self.epoch)
        row = self._row()
        self.metrics, self.seconds, self.note = [], 0.0, ""
        if looked:
            told = {"latents": self.latents, "seed": self.terms.seed, "rows": self.log.rows}
            row |= self._guarded(lambda: self.watch.look(row, self.draw, **told), looking=True)
        self.log.append(row)
        if looked:
            self.watch.tell(self.log.rows, last=final)
        # What was drawn small says nothing about the generator that comes of it
        nearest = self.director.grown(self.number - 1) and self.best.saw(row)
        if nearest:
            self.best.keep(row, self.state.average)
        if due or nearest:
            self._save()

    def _is_sound(self) -> bool:
        """Whether all is numbers: the losses of a step may be, and what it leaves may not."""
        return all(np.isfinite(array).all() for array in self.state.arrays().values())

    def _save(self) -> None:
        """Put a checkpoint of this very step into the folder."""
        save_checkpoint(self.folder / CHECKPOINTS, self.number, self.arrays())

    def _go_back(self, what: str, *, epoch: int) -> None:
        """Take up the newest checkpoint with half the learning rates, and have the next line say so: `what` was no
        number in the course of `epoch`, counted from 1."""
        retries, caution = self.retries + 1, self.caution * recovery.CAUTION
        if retries > recovery.RETRIES or not self._resume():
            raise recovery.gave_up(what, epoch=epoch, definition=self.terms.name)
        self.retries, self.caution = retries, caution
        self.log.rewind(self.epoch)
        self.note = (
            f"{what} was no number in epoch {epoch}: went back to the checkpoint of epoch {self.epoch} and on with"
            f" learning rates times {caution:g}"
        )

    def read(self, path: Path) -> ResumePoint:
        """The checkpoint `path`, if it is one of this very training. Errors: `Damaged`, `Foreign`."""
        point = load_point(path, self.forms, self.batches)
        if not point.origin.is_of(self.terms.seed, self.images.shape, self.definition):
            raise Foreign("is of another seed, other pictures or another definition")
        return point

    def _resume(self) -> bool:
        """Take up the newest whole checkpoint, if there is one; `final.npz` is there when only the end was cut off.

        Errors: `DamagedState` if there are none but ones of something else.
        """
        try:
            point = newest([self.folder / FINAL, *checkpoints(self.folder / CHECKPOINTS)], self.read)
        except Foreign as error:
            raise DamagedState(f"{error}: it is not of this training; move it away to begin anew") from None
        if not point:
            self.best.forget_after(0)
            return False
        self.number, self.metrics, self.latents = point.number, [*point.metrics], point.latents
        self.seconds, self.lead.accuracy, self.caution = point.seconds, point.lead, point.caution
        self.retries, self.note = point.retries, point.note
        self._note_rounding(point.origin.rounding)
        self.state.restore(point.arrays)
        self.best.forget_after(self.epoch)
        return True

    def _note_rounding(self, before: str | None) -> None:
        """Have the next line say that the bits will be others than those of a training that was not stopped."""
        if before and before != self._rounding:
            told = f"went on with {self._rounding} after {before}, which rounds otherwise"
            self.note = "; ".join(filter(None, [self.note, told]))

    def _stop(self) -> None:
        if self._is_sound():  # else the one before is gone on from, and meets the same step
            self._save()
        raise Stopped(f"stopped in epoch {self.epoch + 1} of {self.terms.epochs}; the next run goes on there")

    def _metrics(self) -> np.ndarray:
        return np.array(self.metrics, np.float32).reshape(-1, len(METRICS))

    def _row(self) -> Row:
        """The line of the epoch that has just ended: means over its steps."""
        means = dict(zip(METRICS, self._metrics().mean(axis=0, dtype=float).round(6).tolist(), strict=True))
        if find_loss(self.definition.loss).is_critic:  # its D gives no probabilities
            means = {name: value for name, value in means.items() if name not in OF_PROBABILITIES}
        seen = len(self.metrics) * self.batches.seen
        g_rate, d_rate = (rate * self.caution for rate in self.director.rates(self.number - 1))
        return {
            "epoch": self.epoch,
            "step": self.number,
            "images_seen": self.director.seen(self.number),
            **means,
            "g_rate": g_rate,
            "d_rate": d_rate,
            "images_per_second": round(seen / self.seconds, 2),
            "seconds": round(self.seconds, 3),
            **({"note": self.note} if self.note else {}),
        }

    def _told(self) -> str:
        note = f"epoch {min(self.epoch + 1, self.terms.epochs)} of {self.terms.epochs}"
        if not self.log.rows:
            return note
        row = self.log.rows[-1]
        return f"{note}, D {row['d_loss']:.2f}, G {row['g_loss']:.2f}, {row['images_per_second']:.0f} images/s"
