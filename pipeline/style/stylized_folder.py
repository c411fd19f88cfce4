"""Write a style transfer into a folder while it works: the picture, sheets, statistics, a film, a plot, a card.

<folder>/
    picture.png              the result
    content.png, style-1.png what it was made from, in the size in which it was used
    sheets/step-00000.png    the content, the picture after so many steps, the styles, side by side
    stats.jsonl              a line every few steps: step, size, content, style, variation, total
    losses.png               the same as a plot
    film.gif, .webm, .mp4    how the picture came about
    README.md, card.json     what it was made from, and how
A call that was stopped or killed also leaves checkpoint.npz there, from which the next one goes on.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from pipeline.devices import prepare_devices
from pipeline.errors import UserError
from pipeline.gan.video import Video, film_notice, write_video
from pipeline.images.chart import LINE, OFF, ON, new_panels, save
from pipeline.images.contact_sheet import GAP, contact_sheet, write_png
from pipeline.images.png import decode_png
from pipeline.images.raster import resize
from pipeline.pretrained import Weights
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes, of_file
from pipeline.store.jsonl import dump_row
from pipeline.style.drawn_content import DrawnContent
from pipeline.style.feature_maps import build_network
from pipeline.style.style_card import write_style_card
from pipeline.style.style_options import StyleOptions
from pipeline.style.style_pictures import Picture, as_picture, scaled_shape
from pipeline.style.transfer import Row, Stylized, saved_rows, stylize

PICTURE, STATS, SHEETS, FILM = "picture.png", "stats.jsonl", "sheets", "film"
FPS, HOLD = 8, 2.0  # of the film: frames a second, and seconds that the result stays
SHEET = re.compile(r"step-(\d+)\.png")


def make_stylized(
    options: StyleOptions,
    *,
    content: Path | DrawnContent,
    styles: Sequence[Path],
    weights: Weights,
    digests: Sequence[str],
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Draw `content` in the style of `styles` into `folder`, or go on with what a stopped call left there.

    Args:
        options: how.
        content: a file, or a sample that is drawn first.
        styles: files.
        weights: of the network that compares the pictures.
        digests: of the content and the styles, as they were when the content key was made.
        folder: empty, or as a stopped call with the same inputs left it.
        progress: called after each step.
        should_stop: asked after each step.

    Raises:
        UserError: a file is no picture, or was changed meanwhile; the weights are of something else; the losses are not
            finite.
        Stopped: `should_stop` said so; the folder has a checkpoint then.
    """
    prepare_devices()
    if of_file(weights.path) != weights.digest:
        raise UserError(f"{weights.path} was changed while it waited to be read; give the same command again")
    network = build_network(weights, pooling=options.pooling)
    drawn = content.draw() if isinstance(content, DrawnContent) else as_picture(content, "content")
    pictures = [as_picture(style, "style") for style in styles]
    _refuse_changed([content, *styles], [drawn, *pictures], digests)
    with _Writer(options, drawn, pictures, folder, progress) as writer:
        made = stylize(
            drawn,
            pictures,
            options=options,
            network=network,
            folder=folder,
            on_step=writer.step,
            on_sheet=writer.sheet,
            should_stop=should_stop,
        )
    write_png(folder / PICTURE, made.picture)
    plot_losses(made.rows, folder / "losses.png")
    notices = _write_film(folder, made, pictures)
    sheets = _sheets(folder)
    write_style_card(
        folder,
        made,
        content=drawn,
        styles=pictures,
        digest=network.digest,
        last_sheet=f"{SHEETS}/{sheets[-1].name}" if sheets else "",
        notices=notices,
    )
    height, width = made.picture.shape[:2]
    last = {name: made.rows[-1][name] for name in ("step", "content", "style", "variation")}
    summary = {"width": width, "height": height, "network": made.network, **last, "notices": notices}
    return Result(outputs={"picture": of_bytes(made.picture.tobytes())}, summary=summary)


def _refuse_changed(sources: Sequence[object], pictures: Sequence[Picture], digests: Sequence[str]) -> None:
    for source, picture, digest in zip(sources, pictures, digests, strict=True):
        if picture.digest != digest:
            raise UserError(f"{source} was changed while it waited to be drawn; give the same command again")


class _Writer:
    """Writes sheets and statistics while the picture is drawn. What came after the checkpoint comes again."""

    def __init__(
        self, options: StyleOptions, content: Picture, styles: Sequence[Picture], folder: Path, progress: Progress
    ) -> None:
        self._options, self._folder, self._progress = options, folder, progress
        self._total = len(options.sizes(content.aspect)) * options.steps
        height, width = scaled_shape(content.pixels.shape, options.size)
        self._shape = height, width
        self._content = resize(content.pixels, width, height)
        self._styles = [_fitted(style.pixels, height, width) for style in styles]
        self._stats: IO[str] | None = None

    def __enter__(self) -> "_Writer":
        folder = self._folder
        (folder / SHEETS).mkdir(parents=True, exist_ok=True)
        write_png(folder / "content.png", self._content)
        for number, style in enumerate(self._styles, start=1):
            write_png(folder / f"style-{number}.png", style)
        rows = saved_rows(folder)
        write_whole(folder / STATS, "".join(map(dump_row, rows)).encode())
        self._stats = (folder / STATS).open("a", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        assert self._stats is not None
        self._stats.flush()
        os.fsync(self._stats.fileno())
        self._stats.close()

    def step(self, row: Row) -> None:
        """Report a step; every few steps also write its line."""
        assert self._stats is not None
        step = row["step"]
        if self._options.has_line(step):
            self._stats.write(dump_row(row))
            self._stats.flush()
        losses = ", ".join(f"{name} {row[name]:.3g}" for name in ("content", "style", "variation"))
        self._progress(step, self._total, f"steps at {row['size']} px: {losses}")

    def sheet(self, step: int, picture: np.ndarray) -> None:
        """Write the sheet of a step."""
        height, width = self._shape
        pictures = [self._content, resize(picture, width, height), *self._styles]
        write_png(self._folder / SHEETS / f"step-{step:05d}.png", contact_sheet(pictures, len(pictures)))


def _fitted(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of `pixels` in another shape (height, width, 3), for a sheet."""
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    rows, columns = (min(round(side / scale), most) for side, most in zip((height, width), pixels.shape, strict=False))
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
    return resize(np.ascontiguousarray(pixels[top : top + rows, left : left + columns]), width, height)


def plot_losses(rows: Sequence[Row], path: Path) -> None:
    """Write a plot of the three losses over the steps."""
    names = {"content": ON, "style": OFF, "variation": LINE}
    titles = ["content: how far from the content's features", "style: how far from the style's", "variation"]
    for axes, (name, colour) in zip(panels := new_panels(titles, "step"), names.items(), strict=True):
        axes.plot([row["step"] for row in rows], [row[name] for row in rows], color=colour)
        if all(row[name] > 0 for row in rows):
            axes.set_yscale("log")
    save(panels[0], path)


def _write_film(folder: Path, made: Stylized, styles: Sequence[Picture]) -> list[str]:
    """Write the film from the sheets; returns what a person should know of it."""
    paths = _sheets(folder)
    if len(paths) < 2:
        return []
    height, width = made.picture.shape[:2]
    frames = [decode_png(path.read_bytes())[:height, width + GAP : 2 * width + GAP] for path in paths]
    write_video(Video(frames=np.stack(frames), fps=FPS, hold=HOLD), folder, name=FILM)
    return [notice] if (notice := film_notice()) else []


def _sheets(folder: Path) -> list[Path]:
    """The sheets in the order of their steps."""
    found = {path: SHEET.fullmatch(path.name) for path in (folder / SHEETS).iterdir()}
    return sorted((path for path, name in found.items() if name), key=lambda path: int(path.stem.partition("-")[2]))
