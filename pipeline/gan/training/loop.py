"""The training loop: steps; after an epoch a row of statistics, and at intervals samples and a checkpoint.

If a loss or weight becomes NaN, it rolls back to the last checkpoint and halves the learning rates.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.devices import ComputeMode, choose_dtype, rounding
from pipeline.errors import DamagedState, Stopped
from pipeline.gan.config import Definition, definition_digest
from pipeline.gan.config.resolutions import check_size
from pipeline.gan.evaluation.diagnostics import alarm_events
from pipeline.gan.sampling import GRID, draw_samples, fixed_latents
from pipeline.gan.stats_log import STATS, Row, StatsLog, notes
from pipeline.gan.training import recovery
from pipeline.gan.training.checkpoint import BestCheckpoint, checkpoints, read_newest, save_checkpoint
from pipeline.gan.training.losses import find_loss
from pipeline.gan.training.plateau_drops import check_drops, drop_fields, plateau_scales
from pipeline.gan.training.resume_point import ResumePoint, load_point, point_forms
from pipeline.gan.training.schedule import AccuracyAverage, Intervals, choose_intervals
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import METRICS, compile_step, count_skipped, mark_skipped
from pipeline.progress import Progress, ShouldStop, tell
from pipeline.store.npz import ForeignFile

if typing.TYPE_CHECKING:  # a benchmark trains without the libraries for scores and plots
    from pipeline.gan.training.observer import NullObserver, Observer

PROBABILITY_METRICS = ("d_accuracy", "d_real", "d_fake", "d_sureness")
CHECKPOINTS, FINAL = "checkpoints", "final.npz"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, and how often to sample and save. Of these only `epochs` may affect steps, by schedules."""

    epochs: int
    seed: int
    sample_every: int | None = None  # epochs; None: chosen automatically
    checkpoint_every: int | None = None
    minutes: float = 0.0  # the training stops after these, and can be resumed; 0: no limit
    xla: bool = False
    name: str = "dcgan"  # of the definition, for messages


class Trainer:
    """One training in one folder, on `images` (N, S, S, C) uint8; it starts at the checkpoint in the folder.

    The next step depends on `state`, `steps_done`, `accuracy_average` and `lr_scale` only; if a learning rate drops at
    a plateau, also on the rows of `log`. Without a checkpoint the training begins with `state`, or with a new state
    that computes in `compute_mode`. To resume bit-identically, pass the compute mode of the checkpoint
    (`recorded_compute_mode`).
    """

    def __init__(
        self,
        config: TrainConfig,
        definition: Definition,
        images: np.ndarray,
        *,
        folder: Path,
        observer: Observer | NullObserver,
        state: TrainState | None = None,
        compute_mode: ComputeMode | None = None,
    ) -> None:
        self.config, self.definition, self.images = config, definition, images
        self.folder, self.observer = folder, observer
        turns = definition.balance.discriminator_steps
        self.batches = Batches(count=len(images), max_batch=definition.batch, seed=config.seed, turns=turns)
        check_size(images.shape[1])
        shape = {"size": images.shape[1], "channels": images.shape[3]}
        self.compute_mode = compute_mode or ComputeMode(dtype=choose_dtype(definition.precision))
        self._rounding = rounding(self.compute_mode.dtype)
        options: dict[str, Any] = {**shape, "seed": config.seed, "dtype": self.compute_mode.dtype}
        self.state = state or self._explain_errors(lambda: TrainState(definition, **options))
        self.step_planner = StepPlanner(
            definition=definition,
            images=images,
            batches=self.batches,
            steps=config.epochs * self.batches.steps,
            stages=len(self.state.generator.settled),
        )
        self.latents = fixed_latents(GRID**2, size=definition.latent, seed=config.seed)
        self.steps_done, self.seconds = 0, 0.0  # `seconds` counts the steps of the current epoch only
        self.metrics: list[np.ndarray] = []  # METRICS of each step of the current epoch
        self.accuracy_average, self.lr_scale, self.retries = AccuracyAverage(definition.balance), 1.0, 0
        self.note = ""  # a note for the next row of statistics
        self.untold: list[str] = []  # lines that a person has to see: notes, and alarms that began or have recovered
        self.forms = {**point_forms(self.batches, latent=definition.latent), **self.state.forms()}  # of its checkpoints
        self.best = BestCheckpoint(folder, self.forms)
        self.resume()
        self.log = StatsLog(folder / STATS, epochs_done=self.epoch)
        self._step = compile_step(self.state, xla=config.xla)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.steps_done // self.batches.steps

    @property
    def intervals(self) -> Intervals:
        """How often it writes sample sheets and checkpoints."""
        return choose_intervals(
            sample_every=self.config.sample_every,
            checkpoint_every=self.config.checkpoint_every,
            epochs=self.config.epochs,
            steps=self.batches.steps,
        )

    @property
    def rate_scales(self) -> tuple[float, float]:
        """The factors on the learning rates of G and D, after roll backs and drops at a plateau."""
        g_scale, d_scale = plateau_scales(self.definition, self.log.rows)
        return self.lr_scale * g_scale, self.lr_scale * d_scale

    def continue_with(self, config: TrainConfig, images: np.ndarray, observer: Observer | NullObserver) -> None:
        """Continue with another config: more epochs, another observer, or as many other `images`."""
        self.config, self.images, self.observer = config, images, observer
        steps = config.epochs * self.batches.steps
        self.step_planner = dataclasses.replace(self.step_planner, images=images, steps=steps)
        self.log.rewind(self.epoch)  # it may have been closed

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Train to the last epoch.

        Errors: `Stopped` after a checkpoint of the current step; `UserError` if losses or weights are NaN again after
        every retry, if memory runs out, or if the definition needs scores and no samples are scored.
        """
        scored = self.observer.evaluator is not None
        check_drops(self.definition, self.log.rows, epochs_done=self.epoch, scored=scored)
        deadline = time.monotonic() + 60 * self.config.minutes if self.config.minutes else None
        if self.steps_done == 0:
            self._explain_errors(lambda: self.observer.begin(self.images, self.draw, self.latents), sampling=True)
            self._save()
        # Not earlier: until it runs, a training may have placeholder pictures that take no memory
        images = self._explain_errors(lambda: keep_on_device(self.images))
        planner = dataclasses.replace(self.step_planner, images=images)
        with Prefetcher(planner.inputs) as prefetcher:
            while self.steps_done < self.step_planner.steps:
                if should_stop() or (deadline and time.monotonic() > deadline):
                    self._stop()
                self._take_step(prefetcher)
                while self.untold:
                    tell(progress, self.untold.pop(0))
                progress(self.steps_done, self.step_planner.steps, self._progress_note())

    def draw(self, latents: np.ndarray) -> np.ndarray:
        """The samples of the current averaged generator for `latents` (N, latent); (N, S, S, C) uint8."""
        stage = self.step_planner.plan(max(self.steps_done - 1, 0), learn=True)
        pictures = draw_samples(self.state.average.at(stage.stage, fading=stage.fading), latents)
        times = self.images.shape[1] // pictures.shape[1]  # a growing GAN generates small pictures at first
        return pictures.repeat(times, axis=1).repeat(times, axis=2)

    def arrays(self) -> dict[str, np.ndarray]:
        """The contents of a checkpoint: all that later steps depend on, and the statistics of the current epoch."""
        # The pictures and noise of each step follow from `seed` and `images`
        origin = {
            "seed": self.config.seed,
            "images": self.images.shape,
            "name": self.config.name,
            "definition": definition_digest(self.definition),
            "rounding": self._rounding,
            "precision": self.compute_mode.precision,
            "threads": [self.compute_mode.threads.within, self.compute_mode.threads.between],
        }
        numbers = {"seconds": self.seconds, "lead": self.accuracy_average.accuracy, "caution": self.lr_scale}
        return {
            "step": np.asarray(np.int64(self.steps_done)),
            "retries": np.asarray(np.int64(self.retries)),
            "metrics": self._metrics(),
            "latents": self.latents,
            "note": np.frombuffer(self.note.encode(), np.uint8),
            "origin": np.frombuffer(json.dumps(origin).encode(), np.uint8),
            **{name: np.asarray(np.float64(value)) for name, value in numbers.items()},
            **self.state.arrays(),
        }

    def _take_step(self, prefetcher: Prefetcher[StepInputs]) -> None:
        """Take one step, and finish the epoch if it is the last of one."""
        started = time.perf_counter()
        plan = self.step_planner.plan(self.steps_done, learn=self.accuracy_average.learns)
        inputs = prefetcher.take(self.steps_done)
        metrics = self._explain_errors(lambda: self._step(plan, inputs.scale_rates(self.rate_scales)))
        self.seconds += time.perf_counter() - started
        self.metrics.append(metrics if plan.learn else mark_skipped(metrics))
        if what := recovery.non_finite_metrics(metrics):
            return recovery.roll_back(self, what, epoch=self.epoch + 1)
        self.accuracy_average.update(float(metrics[METRICS.index("d_accuracy")]))
        self.steps_done += 1
        if self.steps_done % self.batches.steps == 0:
            self._end_epoch()

    def _explain_errors(self, call: Callable[[], T], *, sampling: bool = False) -> T:
        """The result of `call`, a step or, with `sampling`, the generation of samples; errors as `explain_errors`."""
        shape = {"batch": self.batches.batch, "size": self.images.shape[1]}
        return recovery.explain_errors(
            call, **shape, definition=self.config.name, xla=self.config.xla, sampling=sampling
        )

    def _end_epoch(self) -> None:
        """Write the row, the samples and the checkpoint, in an order that survives a kill in between."""
        final = self.epoch == self.config.epochs
        sampled = final or self.epoch % self.intervals.sample_every == 0
        checkpoint_due = final or self.epoch % self.intervals.checkpoint_every == 0
        if (sampled or checkpoint_due) and not recovery.is_finite(self.state):
            return recovery.roll_back(self, "a weight", epoch=self.epoch)
        row = self._row()
        self.metrics, self.seconds, self.note = [], 0.0, ""
        if sampled:
            inputs: dict[str, Any] = {"latents": self.latents, "seed": self.config.seed}
            row |= self._explain_errors(lambda: self.observer.evaluate(row, self.draw, **inputs), sampling=True)
        row |= drop_fields(self.definition, self.log.rows, row)
        if row.get("kid") is not None:
            row |= alarm_events([*self.log.rows, row])
        self.log.append(row)
        self.untold += [*notes([row]), *row.get("alarms", []), *row.get("recovered", [])]
        if sampled:
            self.observer.update_plots(self.log.rows, last=final)
        # The score of a small stage says nothing about the generator at full size
        is_best = self.step_planner.is_full_size(self.steps_done - 1) and self.best.is_better(row)
        if is_best:
            self.best.save(row, self.state.average)
        if checkpoint_due or is_best:
            self._save()

    def _save(self) -> None:
        """Write a checkpoint of the current step."""
        save_checkpoint(self.folder / CHECKPOINTS, self.steps_done, self.arrays())

    def read(self, path: Path) -> ResumePoint:
        """Read the checkpoint `path` of this training. Errors: `DamagedFile`, `ForeignFile`."""
        point = load_point(path, self.forms, self.batches)
        if not point.origin.matches(self.config.seed, self.images.shape, self.definition):
            raise ForeignFile("is of another seed, other pictures or another definition")
        return point

    def resume(self) -> bool:
        """Restore the newest intact checkpoint; returns whether there is one.

        It may be `final.npz`, if only the end of the training was interrupted. Errors: `DamagedState` if there are only
        checkpoints of something else.
        """
        try:
            point = read_newest([self.folder / FINAL, *checkpoints(self.folder / CHECKPOINTS)], self.read)
        except ForeignFile as error:
            raise DamagedState(f"{error}: it is not of this training; move it away to start again") from None
        if not point:
            self.best.drop_after(0)
            return False
        self.steps_done, self.metrics, self.latents = point.steps_done, [*point.metrics], point.latents
        self.accuracy_average.accuracy, self.lr_scale = point.accuracy_average, point.lr_scale
        self.seconds, self.retries, self.note = point.seconds, point.retries, point.note
        self._note_rounding(point.origin.rounding)
        self.state.restore(point.arrays)
        self.best.drop_after(self.epoch)
        return True

    def _note_rounding(self, before: str | None) -> None:
        """Add a note to the next row if results will not be bit-identical to those of an uninterrupted training."""
        if before and before != self._rounding:
            change = f"resumed with {self._rounding} after {before}, which rounds differently"
            self.note = "; ".join(filter(None, [self.note, change]))

    def _stop(self) -> None:
        if recovery.is_finite(
            self.state
        ):  # otherwise the next run resumes from the checkpoint before, and repeats this step
            self._save()
        raise Stopped(f"stopped in epoch {self.epoch + 1} of {self.config.epochs}; the next run resumes there")

    def _metrics(self) -> np.ndarray:
        return np.array(self.metrics, np.float32).reshape(-1, len(METRICS))

    def _row(self) -> Row:
        """The row of statistics of the epoch that has just ended: means over its steps."""
        metrics = self._metrics()
        # + 0.0: the mean of marks of skipped steps is -0.0
        means = dict(zip(METRICS, (metrics.mean(axis=0, dtype=float).round(6) + 0.0).tolist(), strict=True))
        if find_loss(self.definition.loss).is_critic:  # its D gives no probabilities
            means = {name: value for name, value in means.items() if name not in PROBABILITY_METRICS}
        seen = len(self.metrics) * self.batches.images_per_step
        g_rate, d_rate = map(operator.mul, self.step_planner.rates(self.steps_done - 1), self.rate_scales)
        return {
            "epoch": self.epoch,
            "step": self.steps_done,
            "images_seen": self.step_planner.images_seen(self.steps_done),
            **means,
            "d_skipped": count_skipped(metrics),
            "g_rate": g_rate,
            "d_rate": d_rate,
            "images_per_second": round(seen / self.seconds, 2),
            "seconds": round(self.seconds, 3),
            **({} if self.step_planner.is_full_size(self.steps_done - 1) else {"growing": 1}),
            **({"note": self.note} if self.note else {}),
        }

    def _progress_note(self) -> str:
        note = f"epoch {min(self.epoch + 1, self.config.epochs)} of {self.config.epochs}"
        if not self.log.rows:
            return note
        row = self.log.rows[-1]
        return f"{note}, D {row['d_loss']:.2f}, G {row['g_loss']:.2f}, {row['images_per_second']:.0f} images/s"
