"""The best pictures that there are of a dataset: samples, else a sample sheet, else squares, else pictures as found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from pipeline.errors import DamagedState
from pipeline.filter.scores import FILE_NAME as SCORES
from pipeline.filter.scores import KEPT
from pipeline.store.artifacts import SHORT
from pipeline.store.digest import is_digest
from pipeline.store.jsonl import parse_row
from pipeline.web.chain.chain_state import TrainingShown
from pipeline.web.chain.live_training import LiveTraining
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.rendering import dataset_url

ROWS = "images.jsonl"
GRID = "grid.png"
MOST = 24  # squares or pictures
MOST_LINES = 20_000  # that are looked at to find so many
LONGEST_LINE = 1 << 16  # bytes


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """One picture: its address, what it shows, and its own size; 0 if the page decides."""

    address: str
    text: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class BestPictures:
    """The best pictures there are. `kind` is 'samples', 'sheet', 'kept', 'squares', 'pictures', or empty: none."""

    kind: str = ""
    caption: str = ""
    pictures: tuple[ShownPicture, ...] = ()


def best_pictures(paths: DatasetPaths, training: TrainingShown | None) -> BestPictures:
    """The first of the kinds that there is."""
    finders: tuple[Callable[[], BestPictures | None], ...] = (
        lambda: samples(paths),
        lambda: sheet(training, paths),
        lambda: _squares(paths, "filter", SCORES, KEPT, "kept", "squares that the filter keeps"),
        lambda: _squares(paths, "normalize", ROWS, KEPT, "squares", "squares"),
        lambda: _squares(paths, "download", ROWS, "saved", "pictures", "pictures as they were found"),
    )
    return next((found for find in finders if (found := find())), BestPictures())


def samples(paths: DatasetPaths) -> BestPictures | None:
    """The grid of the newest samples; None if nothing was generated."""
    made = paths.generate.latest() or paths.generate.newest()
    size = _size(made.folder / GRID) if made else None
    if made is None or size is None:
        return None
    count, seed = made.manifest.summary.get("count"), made.manifest.summary.get("seed")
    picture = ShownPicture(
        address=dataset_url(paths.dataset, f"shown/samples/{quote(made.folder.name, safe='')}.png"),
        text=f"a grid of samples, of seed {seed}",
        width=size[0],
        height=size[1],
    )
    return BestPictures(kind="samples", caption=f"samples, the first of {count}", pictures=(picture,))


def sheet(training: TrainingShown | None, paths: DatasetPaths) -> BestPictures | None:
    """The newest sample sheet of `training`; None if it has none."""
    if training is None or not training.sheet:
        return None
    found = LiveTraining(paths).find(training.key)
    path = found.sheets().get(training.sheet_epoch) if found else None
    size = (_size(path) if path else None) or (0, 0)
    text = f"sample sheet of epoch {training.sheet_epoch}"
    picture = ShownPicture(address=training.sheet, text=text, width=size[0], height=size[1])
    return BestPictures(kind="sheet", caption=f"{text} of {training.name}", pictures=(picture,))


def _squares(paths: DatasetPaths, stage: str, name: str, outcome: str, kind: str, caption: str) -> BestPictures | None:
    """The first squares or pictures with `outcome`, by the rows `name` of `stage`; None without any."""
    made = getattr(paths, stage).latest()
    ids = list(_ids(made.folder / name, outcome)) if made else []
    if not ids:
        return None
    noun, part = ("picture", "found") if stage == "download" else ("square", "square")
    pictures = tuple(
        ShownPicture(address=dataset_url(paths.dataset, f"{part}/{id}"), text=f"{noun} {id[:SHORT]}") for id in ids
    )
    return BestPictures(kind=kind, caption=caption, pictures=pictures)


def _ids(path: Path, outcome: str) -> Iterator[str]:
    """The ids of the first rows of `path` that have `outcome`; damaged rows are left out."""
    found = 0
    try:
        with path.open("rb") as file:
            for _ in range(MOST_LINES):
                line = file.readline(LONGEST_LINE)
                if not line or found == MOST:
                    return
                row = _row(line, path.name)
                if row.get("outcome") == outcome and isinstance(id := row.get("id"), str) and is_digest(id):
                    found += 1
                    yield id
    except OSError:
        return


def _row(line: bytes, name: str) -> dict[str, Any]:
    try:
        return parse_row(line, name)
    except DamagedState:
        return {}


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture in pixels; None if it cannot be read."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
