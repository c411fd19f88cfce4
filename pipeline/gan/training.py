"""The loop: steps, and at the end of an epoch a line, now and then a sheet, and a checkpoint."""

import time
from pathlib import Path

import numpy as np

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped, UserError
from pipeline.gan.batches import Batches
from pipeline.gan.checkpoint import newest_checkpoint, read_arrays, save_checkpoint
from pipeline.gan.definition import Definition
from pipeline.gan.latents import fixed_latents
from pipeline.gan.samples import GRID, Sheets
from pipeline.gan.sizes import check_size
from pipeline.gan.state import TrainState
from pipeline.gan.stats import StatsLog
from pipeline.gan.step import METRICS, Step, compile_step
from pipeline.options import GanOptions

CHECKPOINTS, FINAL, STATS, SAMPLES = "checkpoints", "final.npz", "stats.jsonl", "samples"


class Training:
    """One training in one folder, on `images` (N, S, S, C) uint8, at the point where the folder's checkpoint is.

    What the next step does follows from `state` and `number`, the count of steps done; the rest is bookkeeping.
    """

    def __init__(
        self, options: GanOptions, definition: Definition, images: np.ndarray, *, folder: Path, live: Path | None
    ) -> None:
        self.options, self.definition, self.images, self.folder = options, definition, images, folder
        self.batches = Batches(count=len(images), wanted=definition.batch, seed=options.seed)
        check_size(images.shape[1])
        self.state = TrainState(definition, size=images.shape[1], channels=images.shape[3], seed=options.seed)
        self.number = 0
        self.metrics: list[np.ndarray] = []  # of the steps of this epoch, METRICS each
        self.seconds = 0.0  # that those steps took
        self._restore()
        self.log = StatsLog(folder / STATS, epochs_done=self.epoch)
        latents = fixed_latents(GRID**2, size=definition.latent, seed=options.seed)
        self.sheets = Sheets(folder / SAMPLES, latents=latents, epochs=options.epochs, live=live)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.number // self.batches.steps

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Train to the last epoch. Errors: `Stopped` after a checkpoint of this very step; `UserError` at a NaN."""
        last = self.options.epochs * self.batches.steps
        if self.number == 0:
            self.sheets.add_reals(self.images)
            self.sheets.add(0, self.state.average)
        step = compile_step(self.state, self.definition, batch=self.batches.batch, seed=self.options.seed)
        while self.number < last:
            if should_stop():
                self.save()
                raise Stopped(f"stopped in epoch {self.epoch + 1} of {self.options.epochs}; the next run goes on there")
            self._step(step)
            progress(self.number, last, self._note())

    def save(self) -> None:
        """Put a checkpoint of this very step into the folder."""
        arrays = {"step": np.int64(self.number), "metrics": self._metrics(), "seconds": np.float64(self.seconds)}
        save_checkpoint(self.folder / CHECKPOINTS, self.number, {**arrays, **self.state.arrays()})

    def _restore(self) -> None:
        """Take up the newest whole checkpoint, if there is one; `final.npz` is there when only the end was cut off."""
        arrays = read_arrays(self.folder / FINAL) or newest_checkpoint(self.folder / CHECKPOINTS)
        if arrays:
            self.number, self.metrics = int(arrays["step"]), [*arrays["metrics"]]
            self.seconds = float(arrays["seconds"])
            self.state.restore(arrays)

    def _step(self, step: Step) -> None:
        begun = time.perf_counter()
        self.metrics.append(step(self.images[self.batches.of_step(self.number)], self.number).numpy())
        self.seconds += time.perf_counter() - begun
        self.number += 1
        if self.number % self.batches.steps == 0:
            self._end_epoch()

    def _end_epoch(self) -> None:
        """The line, then the sheet, then the checkpoint: after a kill in between, the same is written again."""
        if not np.isfinite(self._metrics()).all():
            raise UserError(
                f"training broke down in epoch {self.epoch}: losses are no longer numbers. Lower the learning rates in"
                f" models/{self.options.definition}.json, or raise its batch"
            )
        self.log.append(self._row())
        self.metrics, self.seconds = [], 0.0
        final = self.epoch == self.options.epochs
        if final or self.epoch % self.options.sample_every == 0:
            self.sheets.add(self.epoch, self.state.average)
        if final or self.epoch % self.options.checkpoint_every == 0:
            self.save()

    def _metrics(self) -> np.ndarray:
        return np.array(self.metrics, np.float32).reshape(-1, len(METRICS))

    def _row(self) -> dict[str, float]:
        """The line of the epoch that has just ended: means over its steps."""
        means = dict(zip(METRICS, self._metrics().mean(axis=0, dtype=float).round(6).tolist(), strict=True))
        seen = self.batches.steps * self.batches.batch
        return {
            "epoch": self.epoch,
            "step": self.number,
            "images_seen": self.number * self.batches.batch,
            **means,
            "images_per_second": round(seen / self.seconds, 2),
            "seconds": round(self.seconds, 3),
        }

    def _note(self) -> str:
        note = f"epoch {min(self.epoch + 1, self.options.epochs)} of {self.options.epochs}"
        if not self.log.rows:
            return note
        row = self.log.rows[-1]
        return f"{note}, D {row['d_loss']:.2f}, G {row['g_loss']:.2f}, {row['images_per_second']:.0f} images/s"
