"""The training loop: steps; after an epoch a row of statistics, and at intervals samples and a checkpoint.

If a loss or weight becomes NaN, it rolls back to the last checkpoint and halves the learning rates.
"""

from __future__ import annotations

import dataclasses
import json
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
from pipeline.gan.sampling import SHEETS, draw_scales, enlarge, fixed_latents, sheet_name
from pipeline.gan.stats_log import LAST, STATS, StatsLog, notes
from pipeline.gan.training import recovery
from pipeline.gan.training.checkpoint import BestCheckpoint, checkpoints, read_newest, save_checkpoint
from pipeline.gan.training.ending import MOST_STEPS, Length, full_size_after
from pipeline.gan.training.plateau_drops import check_drops, drop_fields, plateau_scales
from pipeline.gan.training.resume_point import ResumePoint, load_point, point_forms
from pipeline.gan.training.schedule import AccuracyAverage, Intervals
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.statistics import epoch_row
from pipeline.gan.training.step_inputs import Batches, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import METRICS, compile_step, mark_skipped
from pipeline.images.contact_sheet import GRID
from pipeline.progress import Progress, ShouldStop, tell
from pipeline.store.npz import ForeignFile

if typing.TYPE_CHECKING:  # a benchmark trains without the libraries for scores and plots
    from pipeline.gan.training.observer import NullObserver, Observer

CHECKPOINTS, FINAL = "checkpoints", "final.npz"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, and how often to sample and save. Of these only `epochs` may affect steps, by schedules."""

    epochs: int | None  # None: until the KID no longer falls, see `ending`, but for about `most_steps` at most
    seed: int
    most_steps: int = MOST_STEPS
    sample_every: int | None = None  # epochs; None: chosen automatically
    checkpoint_every: int | None = None
    minutes: float = 0.0  # the training pauses after these, and can be resumed; 0: no limit
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
            steps=self.length.steps,
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
        self._is_at_plateau = self.length.is_at_plateau(self.log.rows)
        self._step = compile_step(self.state, xla=config.xla)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.steps_done // self.batches.steps

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done or, without a number of them, the KID no longer falls."""
        return self.steps_done >= self.step_planner.steps or self._is_at_plateau

    @property
    def end(self) -> str:
        """Why a training without a number of epochs has ended, in words; empty for another one, and before the end."""
        if self._is_at_plateau:
            return "the KID no longer falls"
        if self.config.epochs or not self.is_done:
            return ""
        return f"it takes at most about {self.config.most_steps} steps (gan.most_steps)"

    @property
    def extent(self) -> str:
        """How far it is: `40 of 100 epochs`, or `40 of at most 2500 epochs`."""
        return f"{self.epoch} {self.length} epochs"

    @property
    def length(self) -> Length:
        """How long it is."""
        return Length(
            epochs=self.config.epochs,
            epoch_steps=self.batches.steps,
            most_steps=self.config.most_steps,
            full_size_after=full_size_after(self.definition, self.images.shape[1]),
        )

    @property
    def intervals(self) -> Intervals:
        """How often it writes sample sheets and checkpoints."""
        config = self.config
        return Intervals(
            steps=self.batches.steps, sample_every=config.sample_every, checkpoint_every=config.checkpoint_every
        )

    @property
    def rate_scales(self) -> tuple[float, float]:
        """The factors on the learning rates of G and D, after roll backs and drops at a plateau."""
        g_scale, d_scale = plateau_scales(self.definition, self.log.rows)
        return self.lr_scale * g_scale, self.lr_scale * d_scale

    def continue_with(self, config: TrainConfig, images: np.ndarray, observer: Observer | NullObserver) -> None:
        """Continue with another config: more epochs, another observer, or as many other `images`."""
        self.config, self.images, self.observer = config, images, observer
        self.step_planner = dataclasses.replace(self.step_planner, images=images, steps=self.length.steps)
        self.log.rewind(self.epoch)  # it may have been closed
        self._forget_last_sheet()
        self._is_at_plateau = self.length.is_at_plateau(self.log.rows)

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Train until `is_done`, or until the minutes of the config are over: then there is a checkpoint of this step.

        However short the time is, a step is taken. Errors: `Stopped` after a checkpoint of the current step;
        `UserError` if losses or weights are NaN again after every retry, if memory runs out, or if the definition needs
        scores and no samples are scored.
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
            while not self.is_done:
                if should_stop():
                    self._stop()
                self._take_step(prefetcher)
                while self.untold:
                    tell(progress, self.untold.pop(0))
                progress(self.steps_done, self.length.known_steps, self._progress_note())
                if deadline and time.monotonic() > deadline and not self.is_done:
                    return self._pause()

    def draw(self, latents: np.ndarray) -> np.ndarray:
        """The samples of the current averaged generator for `latents` (N, latent); (N, S, S, C) uint8."""
        # A growing GAN generates small pictures at first
        return enlarge(self.draw_scales(latents)[-1], self.images.shape[1])

    def draw_scales(self, latents: np.ndarray) -> list[np.ndarray]:
        """The same samples at each side that the generator gives: (N, s, s, C) uint8, the coarsest first."""
        stage = self.step_planner.plan(max(self.steps_done - 1, 0), learn=True)
        return draw_scales(self.state.average.at(stage.stage, fading=stage.fading), latents)

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
            "metrics": self.metrics_array(),
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
        final = self.steps_done >= self.step_planner.steps
        due = self.intervals.is_sheet_due(self.epoch)
        sampled = final or due
        checkpoint_due = final or self.intervals.is_checkpoint_due(self.epoch)
        if (sampled or checkpoint_due) and not recovery.is_finite(self.state):
            return recovery.roll_back(self, "a weight", epoch=self.epoch)
        row = epoch_row(self)
        self.metrics, self.seconds, self.note = [], 0.0, ""
        if sampled:
            inputs: dict[str, Any] = {"latents": self.latents, "seed": self.config.seed}
            scores = self._explain_errors(lambda: self.observer.evaluate(row, self.draw, **inputs), sampling=True)
            if self.definition.multi_scale:
                self.observer.show_scales(self.draw_scales(self.latents[:GRID]))
        if due:
            row |= scores
        row |= drop_fields(self.definition, self.log.rows, row)
        if sampled and not due:
            row |= {LAST: 1, **scores}
        if row.get("kid") is not None:
            row |= alarm_events([*self.log.rows, row])
        self.log.append(row)
        self._is_at_plateau = due and self.length.is_at_plateau(self.log.rows)
        self.untold += [*notes([row]), *row.get("alarms", []), *row.get("recovered", [])]
        if sampled:
            self.observer.update_plots(self.log.rows, last=self.is_done)
        # The score of a small stage says nothing about the generator at full size
        is_best = due and self.step_planner.is_full_size(self.steps_done - 1) and self.best.is_better(row)
        if is_best:
            self.best.save(row, self.state.average)
        if checkpoint_due or is_best or self.is_done:
            self._save()

    def _forget_last_sheet(self) -> None:
        """Forget the sheet and the scores of an epoch that has them only because the training ended there, if it does
        not end there now: so a training that continues is the same as one that never ended there."""
        if self.steps_done < self.step_planner.steps and (epoch := self.log.forget_last()):
            (self.folder / SHEETS / sheet_name(epoch)).unlink(missing_ok=True)

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

    def _pause(self) -> None:
        """Write a checkpoint of the current step or, if a weight is NaN, of the checkpoint before, rolled back."""
        if not recovery.is_finite(self.state):
            recovery.roll_back(self, "a weight", epoch=self.epoch + 1)
        self._save()

    def _stop(self) -> None:
        if recovery.is_finite(self.state):  # else the next run resumes from the checkpoint before, and repeats the step
            self._save()
        raise Stopped(f"stopped in epoch {self.epoch + 1} {self.length}; the next run resumes there")

    def metrics_array(self) -> np.ndarray:
        """The metrics of the steps of this epoch so far (steps, len(METRICS)) float32."""
        return np.array(self.metrics, np.float32).reshape(-1, len(METRICS))

    def _progress_note(self) -> str:
        note = f"epoch {self.epoch + (not self.is_done)} {self.length}"
        if not self.config.epochs:  # how many steps there will be is not known, so only those that are done are shown
            note = f"steps, {note}"
        if not self.log.rows:
            return note
        row = self.log.rows[-1]
        return f"{note}, D {row['d_loss']:.2f}, G {row['g_loss']:.2f}, {row['images_per_second']:.0f} images/s"
