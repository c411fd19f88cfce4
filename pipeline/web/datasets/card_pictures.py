"""The picture on the card of a dataset: the first of its newest samples, else of its newest sheet, else squares."""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.png import encode_png
from pipeline.report.training_files import newest_sheet
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.datasets.manifest_heads import latest_head, stamp

WIDTH, HEIGHT = 440, 220  # pixels that a card shows at most; larger sheets are cut after a whole row and column
MAX_PIXELS = 80_000_000  # of a sheet that is decoded for a card
SHEET_COLUMNS = 8  # of the sheets that a training writes
SQUARES, SQUARE_COLUMNS = 12, 6
PIECE = 2  # pixels between two pictures of a sheet


@dataclass(frozen=True, kw_only=True)
class CardPicture:
    """Where the picture of a card is from: a sheet with so many columns, or a folder of squares."""

    path: Path
    columns: int
    shown: str  # what it shows
    stamp: tuple[int, int]

    @property
    def version(self) -> str:
        """Changes with the picture; it is part of the address, so that browsers may keep it."""
        return f"{self.stamp[0]:x}-{self.stamp[1]:x}"


def card_picture(paths: DatasetPaths) -> CardPicture | None:
    """The picture of the card of a dataset; None if it has no picture yet."""
    if (samples := latest_head(paths.generate)) and (samples.folder / "grid.png").is_file():
        grid = samples.options.get("grid")
        return _picture(samples.folder / "grid.png", grid if isinstance(grid, int) and grid > 0 else 0, "samples")
    trained = latest_head(paths.gan)
    folders = (paths.generated / "training" / "latest", trained.folder / "samples" if trained else paths.gan.root / "-")
    for folder in folders:
        if sheet := newest_sheet(folder):
            return _picture(sheet, SHEET_COLUMNS, "samples of a training")
    squares = latest_head(paths.normalize)
    return _picture(squares.folder / "images", 0, "squares") if squares else None


def picture_address(paths: DatasetPaths, found: CardPicture | None) -> str:
    """The address of the picture of a card; empty if there is none."""
    return f"/cards/{quote(paths.dataset, safe='')}.png?v={found.version}" if found else ""


def _picture(path: Path, columns: int, shown: str) -> CardPicture:
    return CardPicture(path=path, columns=columns, shown=shown, stamp=stamp(path)[0])


@lru_cache(maxsize=80)  # some 100 kB each
def picture_bytes(found: CardPicture) -> bytes:
    """The PNG of a card's picture. Errors: `OSError` or `ValueError` if it cannot be read or is too large."""
    if found.path.is_dir():
        return _squares(found.path)
    with Image.open(found.path, formats=("PNG",)) as sheet:
        if sheet.width * sheet.height > MAX_PIXELS:
            raise ValueError("too large")
        cut = sheet.crop((0, 0, *_cut(sheet.width, sheet.height, found.columns)))
    written = BytesIO()
    cut.save(written, "PNG")
    return written.getvalue()


def _cut(width: int, height: int, columns: int) -> tuple[int, int]:
    """How much of a sheet is shown: as many whole pictures as fit, one at least."""
    if columns < 1 or columns > width:
        return min(width, WIDTH), min(height, HEIGHT)
    side = (width + PIECE) // columns
    across, down = max(1, (WIDTH + PIECE) // side), max(1, (HEIGHT + PIECE) // side)
    return min(width, across * side - PIECE), min(height, down * side - PIECE)


def _squares(folder: Path) -> bytes:
    found: list[np.ndarray] = []
    with os.scandir(folder) as entries:  # only the first of them: there may be 100,000
        names = [entry.path for entry in islice(entries, 2 * SQUARES) if entry.name.endswith(".png")]
    for name in names[:SQUARES]:
        with suppress(OSError, ValueError), Image.open(name, formats=("PNG",)) as square:
            if square.width * square.height <= 512 * 512:
                found.append(np.asarray(square.convert("RGB")))
    same = [each for each in found if each.shape == found[0].shape]
    return encode_png(contact_sheet(same, SQUARE_COLUMNS))
