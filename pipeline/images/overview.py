"""Contact sheets of what the normalise stage kept, found to be duplicates, and rejected, one for each reason."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.crop import padded
from pipeline.images.decode import Decoded, decode_what_there_is
from pipeline.images.png import decode_png
from pipeline.images.prepare import Picture
from pipeline.images.raster import resize
from pipeline.images.rejected import CRASHED, OUT_OF_MEMORY, TOO_MANY_PIXELS, TOO_SLOW
from pipeline.images.worker_pool import Lost, work_through
from pipeline.options import NormalizeOptions
from pipeline.progress import ShouldStop

SIDE = 64  # pixels
_NOT_AGAIN = (TOO_MANY_PIXELS, CRASHED, TOO_SLOW, OUT_OF_MEMORY)
_PAPER, _INK = 225, (70, 70, 70)


class Shown(NamedTuple):
    """A raw picture, and why it was rejected."""

    raw: Picture
    reason: str


def thumbnail(shown: Shown, *, options: NormalizeOptions) -> np.ndarray:
    """All of the picture, as far as it can be decoded, in (SIDE, SIDE, 3) uint8; else a tile that names it."""
    if shown.reason not in _NOT_AGAIN:
        found = decode_what_there_is(shown.raw.path.read_bytes(), options)
        if isinstance(found, Decoded):
            return padded(found.raster, SIDE, options.background)
    return tile(shown.raw)


def tile(raw: Picture) -> np.ndarray:
    """The first digits of the id and the size in bytes, in place of a picture: (SIDE, SIDE, 3) uint8."""
    paper = np.full((SIDE, SIDE, 3), _PAPER, np.uint8)
    for line, text in enumerate((raw.id[:8], f"{raw.path.stat().st_size} B")):
        cv2.putText(paper, text, (3, 28 + 16 * line), cv2.FONT_HERSHEY_PLAIN, 0.7, _INK, 1, cv2.LINE_AA)
    return paper


SHOWN = 100  # pictures at most on a sheet: the first by id, and as ids are digests none is chosen for its looks
COLUMNS = 20


def sheet_name(kind: str) -> str:
    """The file of the sheet of "kept", "duplicates" or a reason."""
    return re.sub("[ _]", "-", kind) + ".png"


def write_overview(
    rows: Sequence[dict[str, Any]],
    raws: Sequence[Picture],
    *,
    options: NormalizeOptions,
    folder: Path,
    processes: int,
    seconds: float,
    should_stop: ShouldStop,
) -> None:
    """Fill `folder`/sheets from the `rows` of images.jsonl, by id, while the squares of duplicates are still there.

    Pictures that were rejected are decoded again, as far as that goes, in `processes`, none for longer than `seconds`.
    """
    sheets, squares = folder / "sheets", folder / "images"
    sheets.mkdir(exist_ok=True)
    kept = [row for row in rows if row["outcome"] == "kept"][:SHOWN]
    write_png(sheets / sheet_name("kept"), contact_sheet([_square(squares, row["id"]) for row in kept], COLUMNS))
    copies = [row for row in rows if row["outcome"] == "duplicate"][:SHOWN]
    if copies:
        pairs = [np.hstack([_square(squares, row["id"]), _square(squares, row["of"])]) for row in copies]
        write_png(sheets / sheet_name("duplicates"), contact_sheet(pairs, COLUMNS // 2, gap=6))
    shown = _first_of_each_reason(rows, {raw.id: raw for raw in raws})
    images = _thumbnails(shown, options, processes, seconds, should_stop)
    for reason in {each.reason for each in shown}:
        chosen = [images[each] for each in shown if each.reason == reason]
        write_png(sheets / sheet_name(reason), contact_sheet(chosen, COLUMNS))


def _square(squares: Path, id: str) -> np.ndarray:
    """A square that this stage made, no larger than a thumbnail."""
    square = decode_png((squares / f"{id}.png").read_bytes())
    if len(square) <= SIDE:
        return square
    return resize(square, SIDE, SIDE).reshape(SIDE, SIDE, square.shape[2])


def _first_of_each_reason(rows: Sequence[dict[str, Any]], raws: dict[str, Picture]) -> list[Shown]:
    found: dict[str, list[Shown]] = {}
    for row in rows:
        if row["reason"] and len(found.setdefault(row["reason"], [])) < SHOWN:
            found[row["reason"]].append(Shown(raws[row["id"]], row["reason"]))
    return [each for some in found.values() for each in some]


def _thumbnails(
    shown: Sequence[Shown], options: NormalizeOptions, processes: int, seconds: float, should_stop: ShouldStop
) -> dict[Shown, np.ndarray]:
    images = {}

    def take(each: Shown, image: np.ndarray | Lost) -> None:
        images[each] = tile(each.raw) if isinstance(image, Lost) else image

    work = partial(thumbnail, options=options)
    work_through(shown, work, take, processes=processes, seconds=seconds, should_stop=should_stop)
    return images
