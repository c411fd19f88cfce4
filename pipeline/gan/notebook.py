"""What a notebook shows of a GAN: a bar and the newest sheet while it trains, sheets of samples, tables as HTML.

Without a notebook nothing here imports IPython, and a training shows what it shows on a console.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.gan.evaluation.diagnostics import alarm_summary
from pipeline.gan.stats_log import Row
from pipeline.gan.training.null_observer import Show
from pipeline.images.contact_sheet import GRID, contact_sheet
from pipeline.images.png import encode_png
from pipeline.progress import Progress, in_notebook, shown_if_watched

if TYPE_CHECKING:
    from PIL import Image

    from pipeline.gan.dcgan import Dcgan

SEEN_SIDE = 64  # pixels of a small picture on a sheet that a person looks at
LAST_ROWS = 5  # of a history, in its table
COLUMNS = {  # of that table: field in the rows -> heading and format
    "epoch": ("epoch", "d"),
    "d_loss": ("loss of D", ".3f"),
    "g_loss": ("loss of G", ".3f"),
    "d_accuracy": ("accuracy of D", ".0%"),
    "kid": ("KID", ".4f"),
    "diversity": ("diversity", ".2f"),
    "batch": ("batch", "d"),
    "seconds": ("seconds", ".1f"),
}


@dataclass(frozen=True)
class Sheet:
    """A contact sheet, with a caption, as notebooks show it."""

    pixels: np.ndarray  # (H, W, C) uint8
    caption: str

    @classmethod
    def of(cls, pictures: np.ndarray, caption: str, *, columns: int = GRID) -> Sheet:
        """The sheet of `pictures` (N, S, S, C) uint8, of which small ones are enlarged pixel by pixel."""
        times = max(1, SEEN_SIDE // pictures.shape[1])
        return cls(contact_sheet(pictures.repeat(times, axis=1).repeat(times, axis=2), columns), caption)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        data = base64.b64encode(encode_png(self.pixels)).decode()
        image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.caption)}">'
        return {
            "text/plain": f"<{self.caption}>",
            "image/png": data,
            "text/html": f"<div>{image}<br>{html.escape(self.caption)}</div>",
        }


class LiveSheet:
    """The newest sample sheet in the output of a cell: each replaces the one before."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, epoch: int, pictures: np.ndarray) -> None:
        """Show the sheet of `epoch` of `pictures` (N, S, S, C) uint8."""
        from IPython.display import display

        sheet = Sheet.of(pictures, f"samples after epoch {epoch}" if epoch else "samples before the first step")
        if self._handle is None:
            self._handle = display(sheet, display_id=True)
        else:
            self._handle.update(sheet)


@dataclass(frozen=True)
class TrainingView:
    """How a training is shown: `progress` after each step and, in a notebook, `show` for each sheet."""

    progress: Progress
    show: Show | None = None


@contextmanager
def viewed(title: str) -> Iterator[TrainingView]:
    """Show a training: in a notebook a bar and the newest sheet, on a terminal a bar, otherwise nothing."""
    with shown_if_watched(title) as progress:
        yield TrainingView(progress, LiveSheet().show if in_notebook() else None)


def show_samples(samples: np.ndarray, caption: str) -> Image.Image | None:
    """Show a sheet of `samples` (N, S, S, C) uint8 in the output of the cell; without a notebook return the picture."""
    sheet = Sheet.of(samples, caption, columns=min(GRID, math.ceil(math.sqrt(len(samples)))))
    if not in_notebook():
        from PIL import Image

        return Image.fromarray(sheet.pixels[..., 0] if sheet.pixels.shape[2] == 1 else sheet.pixels)
    from IPython.display import display

    display(sheet)
    return None


def gan_html(gan: Dcgan) -> str:
    """What `gan` is and how far it is trained, as a table; all of it escaped."""
    settings, state = gan.state.definition, gan.state
    facts = {
        "pictures": " x ".join(map(str, gan.image_shape)),
        "epochs done": f"{gan.epochs}{gan.history.lowest()}",
        "loss": settings.loss,
        "batch": settings.batch,
        "label smoothing": f"{settings.smoothing.real:g} of reals, {settings.smoothing.fake:g} of fakes",
        "parameters": f"{state.generator.parameters:,} of G, {state.discriminator.parameters:,} of D",
        "seed": gan.seed,
    }
    rows = "".join(_row(fact, head=1) for fact in facts.items())
    return f"<div><strong>Dcgan {_escaped(gan.name)}</strong><table>{rows}</table></div>"


def history_html(title: str, rows: Sequence[Row]) -> str:
    """The last of the `rows` of statistics as a table, and the alarms, below a `title`; all of it escaped."""
    shown = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    lines = [_row([COLUMNS[name][0] for name in shown], head=len(shown))]
    lines += [_row(_cell(row.get(name), COLUMNS[name][1]) for name in shown) for row in rows[-LAST_ROWS:]]
    table = f"<table>{''.join(lines)}</table>" if rows else ""
    found = alarm_summary(rows)
    alarms = "".join(f"<li>{_escaped(text)}</li>" for text in (*found["notices"], *found["recovered"]))
    return f"<div><strong>{_escaped(title)}</strong>{table}{f'<ul>{alarms}</ul>' if alarms else ''}</div>"


def _row(cells: Iterable[object], *, head: int = 0) -> str:
    """A row of a table, whose first `head` cells are headings."""
    tags = ((("th", "td")[number >= head], cell) for number, cell in enumerate(cells))
    return f"<tr>{''.join(f'<{tag}>{_escaped(cell)}</{tag}>' for tag, cell in tags)}</tr>"


def _cell(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)


def _escaped(value: object) -> str:
    return html.escape(str(value))
