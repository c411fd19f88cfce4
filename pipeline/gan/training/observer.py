"""What people see of a training while it runs: sheets, figures, plots, alarms."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.gan.evaluation.diagnostics import news
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.plots import draw_plots
from pipeline.gan.sampling import GRID, SampleSheets, fixed_latents
from pipeline.gan.stats_log import STATS, Row
from pipeline.store.atomic import write_whole

SECONDS = 20.0  # from one drawing of the plots to the next, or as many times as long as it took
Draw = Callable[[np.ndarray], np.ndarray]  # latents (N, latent) to pictures (N, S, S, C) uint8


class Observer:
    """Of one training in `folder`. All of it appears in `live` too, as it is made, unless that is None.

    Without a `monitor` the samples are shown, and not scored.
    """

    def __init__(self, folder: Path, *, live: Path | None, epochs: int, monitor: SampleEvaluator | None) -> None:
        self.folder, self.live, self.monitor = folder, live, monitor
        self.sheets = SampleSheets(folder / "samples", epochs=epochs, live=live)
        self._due = time.monotonic() + SECONDS  # when the plots are drawn anew

    def begin(self, reals: np.ndarray, draw: Draw, latents: np.ndarray) -> None:
        """Show the reals, and what the generator draws before it has learned."""
        self.sheets.add_reals(reals)
        self.sheets.add(0, draw(latents))

    def look(self, row: Row, draw: Draw, *, latents: np.ndarray, seed: int, rows: list[Row]) -> Row:
        """Show the pictures of `latents`; the figures of this look, to go into `row`, which comes after `rows`."""
        if self.monitor is None:
            self.sheets.add(row["epoch"], draw(latents))
            return {}
        more = fixed_latents(max(self.monitor.count, GRID**2), size=latents.shape[1], seed=seed)
        pictures = draw(np.concatenate([latents, more[len(latents) :]]))
        self.sheets.add(row["epoch"], pictures[: len(latents)])
        figures = {name: value for name, value in asdict(self.monitor.look(pictures)).items() if value is not None}
        if figures:
            figures["extractor"] = self.monitor.extractor.name  # those of others cannot be compared
        new = [alarm.text for alarm in news([*rows, {**row, **figures}])]
        return {**figures, **({"alarms": new} if new else {})}

    def tell(self, rows: list[Row], *, last: bool) -> None:
        """Draw the plots of `rows` anew, unless that was just done and these are not the `last`."""
        if last or time.monotonic() > self._due:
            begun = time.monotonic()
            plots = self.folder / "plots"
            plots.mkdir(exist_ok=True)
            self._show([plots / name for name in draw_plots(rows, plots)])
            self._due = time.monotonic() + SECONDS * max(1.0, time.monotonic() - begun)
        self._show([self.folder / STATS])

    def _show(self, paths: list[Path]) -> None:
        if self.live is not None:
            self.live.mkdir(parents=True, exist_ok=True)
            for path in paths:
                write_whole(self.live / path.name, path.read_bytes(), sync=False)


class NullObserver:
    """Stands for a `Watch` where nobody looks."""

    monitor = None

    def begin(self, reals: np.ndarray, draw: Draw, latents: np.ndarray) -> None:
        """Show nothing."""

    def look(self, row: Row, draw: Draw, *, latents: np.ndarray, seed: int, rows: list[Row]) -> Row:
        """No figures."""
        return {}

    def tell(self, rows: list[Row], *, last: bool) -> None:
        """Draw nothing."""
