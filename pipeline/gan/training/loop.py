"""The training loop: steps; after an epoch a row of statistics, and at intervals samples and a checkpoint.

If a loss or weight becomes NaN, it rolls back to the last checkpoint and halves the learning rates.
"""

from __future__ import annotations

import dataclasses
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.devices import ComputeMode, choose_dtype, rounding
from pipeline.errors import DamagedState, Stopped
from pipeline.gan.classes import Classes
from pipeline.gan.config import Definition, Smoothing
from pipeline.gan.config.resolutions import check_size
from pipeline.gan.evaluation.diagnostics import alarm_events
from pipeline.gan.sampling import SHEETS, draw_scales, enlarge, sheet_latents, sheet_name
from pipeline.gan.stats_log import LAST, STATS, StatsLog, notes
from pipeline.gan.training import recovery
from pipeline.gan.training.augment import mirrors
from pipeline.gan.training.checkpoint import BestCheckpoint, checkpoints, read_newest, save_checkpoint
from pipeline.gan.training.checkpoint_outline import load_outline
from pipeline.gan.training.ending import Length, TrainConfig, end_in_words, full_size_after
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.phase import FIRST, Phase
from pipeline.gan.training.plateau_drops import check_drops, drop_fields, plateau_scales
from pipeline.gan.training.resume_point import ResumePoint, load_point, point_arrays, point_forms
from pipeline.gan.training.schedule import AccuracyAverage, Intervals
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.statistics import epoch_row, progress_note
from pipeline.gan.training.step_inputs import Batches, Prefetcher, StepInputs, StepPlanner, keep_on_device
from pipeline.gan.training.train_step import METRICS, compile_step, mark_skipped
from pipeline.images.contact_sheet import GRID
from pipeline.images.packed import Images
from pipeline.progress import Progress, ShouldStop, tell
from pipeline.store.npz import ArrayForms, Arrays, ForeignFile

if typing.TYPE_CHECKING:  # a benchmark trains without the libraries for scores and plots
    from pipeline.gan.training.observer import Observer

CHECKPOINTS, FINAL = "checkpoints", "final.npz"
T = TypeVar("T")


class Trainer:
    """One training in one folder, on `images` (N, S, S, C) uint8; it starts at the checkpoint in the folder.

    The next step depends on `state`, `steps_done`, `accuracy_average` and `lr_scale` only; if a learning rate drops at
    a plateau, also on the rows of `log`. Without a checkpoint the training begins with `state`, or with a new state
    that computes in `compute_mode`, in `phase`. To resume bit-identically, pass the compute mode of the checkpoint
    (`recorded_compute_mode`). `state` takes the batch size and the smoothing of the current phase.
    """

    def __init__(
        self,
        config: TrainConfig,
        definition: Definition,
        images: Images,
        *,
        folder: Path,
        observer: Observer | NullObserver,
        state: TrainState | None = None,
        compute_mode: ComputeMode | None = None,
        phase: Phase | None = None,
        classes: Classes | None = None,
    ) -> None:
        self.config, self.definition, self.images, self.classes = config, definition, images, classes
        self.folder, self.observer = folder, observer
        self.phase = phase or FIRST
        self.batches = self._batches_in(self.phase)
        check_size(images.shape[1])
        self.compute_mode = compute_mode or ComputeMode(dtype=choose_dtype(definition.precision))
        self._rounding = rounding(self.compute_mode.dtype)
        self.state = state or self._explain_errors(self._new_state)
        self.enter(self.phase)
        self.latents = sheet_latents(size=definition.latent, classes=self.state.classes, seed=config.seed)
        self.steps_done, self.seconds = 0, 0.0  # `seconds` counts the steps of the current epoch only
        self.metrics: list[np.ndarray] = []  # METRICS of each step of the current epoch
        self.accuracy_average, self.lr_scale, self.retries = AccuracyAverage(definition.balance), 1.0, 0
        self.note = ""  # a note for the next row of statistics
        self.untold: list[str] = []  # lines that a person has to see: notes, and alarms that began or have recovered
        self.best = BestCheckpoint(folder, self.forms)
        self.resume()
        self.log = StatsLog(folder / STATS, epochs_done=self.epoch)
        self.is_at_plateau = self.length.is_at_plateau(self.log.rows)

    def _new_state(self) -> TrainState:
        _, size, _, channels = self.images.shape
        dtype, classes = self.compute_mode.dtype, len(self.classes.names) if self.classes else 0
        given: dict[str, Any] = {"size": size, "channels": channels, "seed": self.config.seed, "dtype": dtype}
        return TrainState(self.definition, **given, classes=classes)

    def enter(self, phase: Phase) -> None:
        """Take the next steps with the batch size and the smoothing of `phase`."""
        self.phase, self.batches, self.forms = phase, self._batches_in(phase), self._forms_in(phase)
        self.state.definition = phase.settings_of(self.definition)
        self.step_planner = StepPlanner(
            definition=self.state.definition,
            images=self.images,
            batches=self.batches,
            steps=self.length.steps,
            stages=len(self.state.generator.settled),
            labels=self.classes.labels if self.classes else None,
            classes=self.state.classes,
        )
        self._step = compile_step(self.state, xla=self.config.xla)

    def change(self, *, batch: int | None, smoothing: Smoothing | None) -> None:
        """Take the next steps with another batch size or smoothing; None keeps what is.

        With another batch size an epoch that was interrupted begins again.
        """
        phase = self.phase
        if batch not in (None, self.step_planner.definition.batch):
            phase = self.batches.next_phase(self.steps_done, batch=batch)
            self.metrics, self.seconds = [], 0.0
        if smoothing is not None:
            phase = phase.model_copy(update={"smoothing": smoothing})
        if phase != self.phase:  # the step would be compiled again
            self.enter(phase)

    def _batches_in(self, phase: Phase) -> Batches:
        batch, turns = phase.batch or self.definition.batch, self.definition.balance.discriminator_steps
        return Batches(count=len(self.images), max_batch=batch, seed=self.config.seed, turns=turns, phase=phase)

    def _forms_in(self, phase: Phase) -> ArrayForms:  # of its checkpoints
        latent = self.definition.latent + self.state.classes
        return {**point_forms(self._batches_in(phase), latent=latent), **self.state.forms()}

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.batches.clock.epochs_after(self.steps_done)

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done, or its time is over, or, without a number of epochs, the KID no longer falls."""
        return self.steps_done >= self.step_planner.steps or self.is_at_plateau or self.is_time_over

    @property
    def is_time_over(self) -> bool:
        """Whether its steps have taken the minutes that it has for all of them."""
        return 0 < 60 * self.config.total_minutes <= self.trained_seconds

    @property
    def trained_seconds(self) -> float:
        """The seconds of all steps, over all stops."""
        return float(sum(row["seconds"] for row in self.log.rows)) + self.seconds

    @property
    def end(self) -> str:
        """Why it has ended, in words; empty before the end, and after the epochs that it was to have."""
        reason = end_in_words(self.config, plateau=self.is_at_plateau, time_over=self.is_time_over)
        return reason if self.is_done else ""

    @property
    def extent(self) -> str:
        """How far it is: `40 of 100 epochs`, or `40 of at most 2500 epochs`."""
        return f"{self.epoch} {self.length} epochs"

    @property
    def length(self) -> Length:
        """How long it is."""
        return Length(
            epochs=self.config.epochs,
            clock=self.batches.clock,
            most_steps=self.config.most_steps,
            full_size_after=full_size_after(self.definition, self.images.shape[1]),
        )

    @property
    def intervals(self) -> Intervals:
        """How often it writes sample sheets and checkpoints."""
        every = {"sample_every": self.config.sample_every, "checkpoint_every": self.config.checkpoint_every}
        return Intervals(clock=self.batches.clock, **every)

    @property
    def rate_scales(self) -> tuple[float, float]:
        """The factors on the learning rates of G and D, after roll backs and drops at a plateau."""
        g_scale, d_scale = plateau_scales(self.definition, self.log.rows)
        return self.lr_scale * g_scale, self.lr_scale * d_scale

    def continue_with(
        self, config: TrainConfig, images: Images, observer: Observer | NullObserver, classes: Classes | None = None
    ) -> None:
        """Continue with another config, another observer, or as many other `images` of the same classes."""
        self.config, self.images, self.observer, self.classes = config, images, observer, classes
        changed: dict[str, Any] = {"images": images, "labels": classes.labels if classes else None}
        self.step_planner = dataclasses.replace(self.step_planner, **changed, steps=self.length.steps)
        self.log.rewind(self.epoch)  # it may have been closed
        self._forget_last_sheet()
        self.is_at_plateau = self.length.is_at_plateau(self.log.rows)

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Train until `is_done`, or until the `minutes` of the config are over; there is a checkpoint of the last step.

        However short these are, a step is taken. Errors: `Stopped` after a checkpoint of the current step;
        `UserError` if losses or weights are NaN again after every retry, if memory runs out, or if the definition needs
        scores and no samples are scored.
        """
        scored = self.observer.evaluator is not None
        check_drops(self.definition, self.log.rows, epochs_done=self.epoch, scored=scored)
        deadline = time.monotonic() + 60 * self.config.minutes if self.config.minutes else None
        if self.steps_done == 0:
            begun = self.images, self.draw, self.latents, self.classes
            self._explain_errors(lambda: self.observer.begin(*begun), sampling=True)
            self._save()
        self.observer.record(self.log.rows)
        # Not earlier: until it runs, a training may have placeholder pictures that take no memory
        held = self._explain_errors(lambda: keep_on_device(self.images))
        given: dict[str, Any] = {"images": held, "mirrors": mirrors(self.definition.augment, self.images)}
        # By the planner of the time: a roll back may lead into an earlier phase
        with Prefetcher(lambda step: dataclasses.replace(self.step_planner, **given).inputs(step)) as prefetcher:
            while not self.is_done:
                if should_stop():
                    self._stop()
                self._take_step(prefetcher)
                while self.untold:
                    tell(progress, self.untold.pop(0))
                progress(self.steps_done, self.length.known_steps, progress_note(self))
                if self.is_time_over or (deadline and time.monotonic() > deadline and not self.is_done):
                    return self._pause()

    def draw(self, latents: np.ndarray) -> np.ndarray:
        """The samples of the current averaged generator for `latents` (N, latent); (N, S, S, C) uint8."""
        return enlarge(self.draw_scales(latents)[-1], self.images.shape[1])  # a growing GAN's are small at first

    def draw_scales(self, latents: np.ndarray) -> list[np.ndarray]:
        """The same samples at each side that the generator gives: (N, s, s, C) uint8, the coarsest first."""
        stage = self.step_planner.plan(max(self.steps_done - 1, 0), learn=True)
        return draw_scales(self.state.average.at(stage.stage, fading=stage.fading), latents)

    def arrays(self) -> Arrays:
        """The contents of a checkpoint of the current step."""
        return point_arrays(self)

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
        if self.batches.clock.steps_into(self.steps_done) == 0:
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
            inputs: dict[str, Any] = {"latents": self.latents, "seed": self.config.seed, "classes": self.classes}
            scores = self._explain_errors(lambda: self.observer.evaluate(row, self.draw, **inputs), sampling=True)
            if self.definition.multi_scale:
                self.observer.show_scales(lambda: self.draw_scales(self.latents[:GRID]))
        if due:
            row |= scores
        row |= drop_fields(self.definition, self.log.rows, row)
        if sampled and not due:
            row |= {LAST: 1, **scores}
        if row.get("kid") is not None:
            row |= alarm_events([*self.log.rows, row])
        self.log.append(row)
        self.observer.record(self.log.rows)
        self.is_at_plateau = due and self.length.is_at_plateau(self.log.rows)
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
        phase = load_outline(path).phase
        point = load_point(path, self._forms_in(phase), self._batches_in(phase))
        names = self.classes.names if self.classes else ()
        if not point.origin.matches(self.config.seed, self.images.shape, self.definition, names):
            raise ForeignFile("is of another seed, other pictures or another definition" + ", or classes" * bool(names))
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
        self.seconds, self.retries, self.note = point.seconds, point.retries, point.note_with(self._rounding)
        if point.origin.phase != self.phase:
            self.enter(point.origin.phase)
        self.state.restore(point.arrays)
        self.best.drop_after(self.epoch)
        return True

    def _pause(self) -> None:
        """Write a checkpoint of the current step or, if a weight is NaN, of the checkpoint before, rolled back."""
        if not recovery.is_finite(self.state):
            recovery.roll_back(self, "a weight", epoch=self.epoch + 1)
        self._save()

    def _stop(self) -> None:
        if recovery.is_finite(self.state):  # otherwise the next run resumes before, and repeats this step
            self._save()
        raise Stopped(f"stopped in epoch {self.epoch + 1} {self.length}; the next run resumes there")
