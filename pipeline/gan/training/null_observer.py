"""An observer for trainings that write neither sheets nor plots; it needs no library that draws or scores."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.gan.classes import Classes
from pipeline.gan.stats_log import Row
from pipeline.images.packed import Images

Draw = Callable[[np.ndarray], np.ndarray]  # latents (N, latent) to pictures (N, S, S, C) uint8
Show = Callable[[int, np.ndarray], None]  # shows a person the samples (N, S, S, C) uint8 of an epoch


class NullObserver:
    """An `Observer` that writes nothing. `show`, if given, gets the samples of each sheet."""

    evaluator = None

    def __init__(self, show: Show | None = None) -> None:
        self.show = show

    def begin(self, reals: Images, draw: Draw, latents: np.ndarray, classes: Classes | None) -> None:
        """Show the first samples."""
        if self.show:
            self.show(0, draw(latents))

    def evaluate(self, row: Row, draw: Draw, *, latents: np.ndarray, seed: int, classes: Classes | None) -> Row:
        """Show the samples; return no scores."""
        if self.show:
            self.show(row["epoch"], draw(latents))
        return {}

    def record(self, rows: list[Row]) -> None:
        """Write no events."""

    def show_scales(self, draw: Callable[[], Sequence[np.ndarray]]) -> None:
        """Show nothing, and draw nothing."""

    def update_plots(self, rows: list[Row], *, last: bool) -> None:
        """Draw nothing."""
