"""The history of a training: its statistics, epoch by epoch."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.gan.plots import draw_plots, figures
from pipeline.gan.stats_log import Row

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class History:
    """The rows of a training, one per epoch; each value as an array (E,) float64, with NaN for an epoch that lacks it.

    `rows` are those of stats.jsonl: losses, learning rates, gradients, speed, and for epochs with scored samples `kid`,
    `precision`, `recall`, `density`, `coverage`, `diversity`, `memorised`, `extractor`, `alarms`.
    """

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        """For example <History of 50 epochs>: the rows would fill the screen."""
        return f"<History of {len(self)} epochs>"

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.rows)

    def figure(self, name: str) -> np.ndarray:
        """The values called `name` in the rows, such as 'kid'."""
        return np.array([np.nan if row.get(name) is None else row[name] for row in self.rows], float)

    @property
    def epochs(self) -> np.ndarray:
        """The numbers of the epochs, from 1."""
        return self.figure("epoch").astype(int)

    @property
    def d_loss(self) -> np.ndarray:
        """The discriminator's loss, without penalties."""
        return self.figure("d_loss")

    @property
    def g_loss(self) -> np.ndarray:
        """The generator's loss."""
        return self.figure("g_loss")

    @property
    def accuracy(self) -> np.ndarray:
        """The discriminator's accuracy, from 0 to 1."""
        return self.figure("d_accuracy")

    @property
    def d_real(self) -> np.ndarray:
        """The mean probability of being real that the discriminator gives reals."""
        return self.figure("d_real")

    @property
    def d_fake(self) -> np.ndarray:
        """The mean probability of being real that the discriminator gives fakes."""
        return self.figure("d_fake")

    @property
    def alarms(self) -> tuple[str, ...]:
        """Alarms and notes in words: what is or was wrong, and what was done."""
        found = ([*row.get("alarms", []), *filter(None, [row.get("note")])] for row in self.rows)
        return tuple(text for texts in found for text in texts)

    def plot(self, folder: Path | str | None = None) -> dict[str, Figure] | list[Path]:
        """Plot losses, accuracy, probabilities, gradients, speed and scores, as far as there are values.

        Returns Matplotlib's figures by name, for a notebook; with a `folder`, created if missing, the paths of the PNG
        files written into it.
        """
        if folder is None:
            return figures(self.rows)
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [Path(folder) / name for name in draw_plots(self.rows, Path(folder))]
