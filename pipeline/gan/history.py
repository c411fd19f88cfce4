"""The history of a training: its statistics, epoch by epoch."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.gan.evaluation.diagnostics import alarm_summary
from pipeline.gan.notebook import history_html
from pipeline.gan.plots import draw_plots, figures
from pipeline.gan.stats_log import Row, best_in_words, best_row
from pipeline.gan.validation import make_folder

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class History:
    """The rows of a training, one per epoch; each value as an array (E,) float64, with NaN for an epoch that lacks it.

    `rows` are those of stats.jsonl: losses, learning rates, gradients, speed, `batch`, smoothing, and for epochs with
    scored samples `kid`, `precision`, `recall`, `density`, `coverage`, `diversity`, `memorised`, `extractor`, `alarms`.
    """

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        """For example <History of 50 epochs, lowest KID 0.0123 ± 0.0021 at epoch 40>, and not all the rows."""
        return f"<History of {len(self)} epochs{self.lowest()}>"

    def _repr_html_(self) -> str:
        """For a notebook: the last epochs in a table, and the alarms."""
        return history_html(repr(self)[1:-1], self.rows)

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
    def best_epoch(self) -> int | None:
        """The epoch with the lowest KID, whose generator is in best.npz; None if no samples were scored."""
        best = best_row(self.rows)
        return best["epoch"] if best else None

    def lowest(self) -> str:
        """The lowest KID in words, after a comma; empty if no samples were scored."""
        best = best_row(self.rows)
        return f", lowest KID {best_in_words(best)}" if best else ""

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
    def batch(self) -> np.ndarray:
        """The batch size of each epoch."""
        return self.figure("batch")

    @property
    def smoothing(self) -> np.ndarray:
        """The label smoothing of reals and of fakes in each epoch: (E, 2)."""
        return np.stack([self.figure("smoothing_real"), self.figure("smoothing_fake")], axis=1)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Notes, alarms that last, and alarms that have recovered, in words."""
        found = alarm_summary(self.rows)
        return (*found["notices"], *found["recovered"])

    def plot(self, folder: Path | str | None = None) -> dict[str, Figure] | list[Path]:
        """Plot losses, accuracy, probabilities, gradients, speed and scores, as far as there are values.

        Returns Matplotlib's figures by name, for a notebook; with a `folder`, created if missing, the paths of the PNG
        files written into it. Errors: `UserError` for a folder that cannot be made.
        """
        if folder is None:
            return figures(self.rows)
        make_folder(Path(folder))
        return [Path(folder) / name for name in draw_plots(self.rows, Path(folder))]
