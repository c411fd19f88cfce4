"""What people see of a training while it runs: sample sheets, scores and plots."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.gan.classes import Classes
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.plots import draw_plots
from pipeline.gan.sampling import SHEETS, SampleSheets, fixed_latents
from pipeline.gan.stats_log import STATS, Row
from pipeline.gan.tensorboard_events import EventLog
from pipeline.gan.training.null_observer import Draw, Show
from pipeline.images.contact_sheet import GRID
from pipeline.images.packed import Images
from pipeline.store.atomic import write_whole

SECONDS = 40.0  # at least between two drawings of the plots; longer if drawing takes over a second


class Observer:
    """Writes sample sheets, scores and plots of one training into `folder`, and copies them to `live`, if given.

    Without an `evaluator` the samples are not scored. `show`, if given, gets those of each sheet too; `events` are
    for TensorBoard, if it is wanted.
    """

    def __init__(
        self,
        folder: Path,
        *,
        live: Path | None,
        evaluator: SampleEvaluator | None,
        show: Show | None = None,
        events: EventLog | None = None,
    ) -> None:
        self.folder, self.live, self.evaluator = folder, live, evaluator
        self.show, self.events = show, events
        self.sheets = SampleSheets(folder / SHEETS, live=live)
        self._next_plots = time.monotonic() + SECONDS  # when the plots are redrawn

    def begin(self, reals: Images, draw: Draw, latents: np.ndarray, classes: Classes | None) -> None:
        """Write the sheet of the reals, and the first sheet of samples, before any training."""
        self.sheets.add_reals(reals, classes)
        self._add_sheet(0, draw(latents))

    def evaluate(self, row: Row, draw: Draw, *, latents: np.ndarray, seed: int, classes: Classes | None) -> Row:
        """Write the sample sheet of `latents`; return the scores of the samples to add to `row`.

        Samples of a conditional GAN that are scored are of each class as often as the reals: otherwise the scores would
        say how evenly the reals are divided. Those of its sheet, a row a class, are not scored.
        """
        if self.evaluator is None:
            self._add_sheet(row["epoch"], draw(latents))
            return {}
        scored = fixed_latents(max(self.evaluator.count, GRID**2), size=latents.shape[1], seed=seed)
        others = classes.as_often(scored, seed=seed) if classes else scored[len(latents) :]
        pictures = draw(np.concatenate([latents, others]))
        self._add_sheet(row["epoch"], pictures[: len(latents)])
        found = asdict(self.evaluator.evaluate(pictures[len(latents) if classes else 0 :]))
        scores = {name: value for name, value in found.items() if value is not None}
        if scores:
            scores["extractor"] = self.evaluator.extractor.name  # scores of different extractors cannot be compared
        return scores

    def record(self, rows: list[Row]) -> None:
        """Bring TensorBoard's events in line with `rows`, all that the statistics log has now."""
        if self.events:
            self.events.sync(rows)

    def _add_sheet(self, epoch: int, pictures: np.ndarray) -> None:
        self.sheets.add(epoch, pictures)
        if self.show:
            self.show(epoch, pictures)

    def show_scales(self, draw: Callable[[], Sequence[np.ndarray]]) -> None:
        """Write the sheet of samples of a multi-scale GAN at every side, (N, s, s, C) uint8, the coarsest first."""
        self.sheets.add_scales(draw())

    def update_plots(self, rows: list[Row], *, last: bool) -> None:
        """Redraw the plots of `rows`, unless that was done a moment ago and these are not the `last`."""
        if last or time.monotonic() > self._next_plots:
            started = time.monotonic()
            plots = self.folder / "plots"
            plots.mkdir(exist_ok=True)
            self._copy_to_live([plots / name for name in draw_plots(rows, plots)])
            self._next_plots = time.monotonic() + SECONDS * max(1.0, time.monotonic() - started)
        self._copy_to_live([self.folder / STATS])

    def _copy_to_live(self, paths: list[Path]) -> None:
        if self.live is not None:
            self.live.mkdir(parents=True, exist_ok=True)
            for path in paths:
                write_whole(self.live / path.name, path.read_bytes(), sync=False)
