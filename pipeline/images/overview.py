"""Contact sheets of the normalise stage: kept squares, duplicates, and rejected pictures for each reason."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.crop import pad_to_square
from pipeline.images.decode import Decoded, decode_partially
from pipeline.images.png import decode_png
from pipeline.images.prepare import Picture
from pipeline.images.raster import resize
from pipeline.images.rejected import CRASHED, OUT_OF_MEMORY, TOO_MANY_PIXELS, TOO_SLOW
from pipeline.images.worker_pool import Lost, work_through
from pipeline.options import NormalizeOptions
from pipeline.progress import ShouldStop

SIDE = 64  # pixels
SHOWN = 100  # pictures at most on a sheet: the first by id; ids are digests, so that the choice is random
COLUMNS = 20
_NOT_DECODED_AGAIN = (TOO_MANY_PIXELS, CRASHED, TOO_SLOW, OUT_OF_MEMORY)  # reasons
_BACKGROUND, _TEXT_COLOUR = 225, (70, 70, 70)


class RejectedPicture(NamedTuple):
    """A picture and the reason why it was rejected."""

    picture: Picture
    reason: str


def sheet_name(kind: str) -> str:
    """The file name of the sheet of "kept", "duplicates" or a reason."""
    return re.sub("[ _]", "-", kind) + ".png"


def write_overview(
    read: Callable[[], Iterable[dict[str, Any]]],
    pictures: Sequence[Picture],
    *,
    options: NormalizeOptions,
    folder: Path,
    processes: int,
    seconds: float,
    should_stop: ShouldStop,
) -> None:
    """Write the contact sheets of the rows of images.jsonl to `folder`/sheets, while the squares of duplicates exist.

    `read` gives the rows, from the first one. Rejected pictures are decoded again, as far as possible, in `processes`
    processes, for at most `seconds` each.
    """
    sheets, squares = folder / "sheets", folder / "images"
    sheets.mkdir(exist_ok=True)
    kept = [*islice((row for row in read() if row["outcome"] == "kept"), SHOWN)]
    write_png(sheets / sheet_name("kept"), contact_sheet([_square(squares, row["id"]) for row in kept], COLUMNS))
    copies = [*islice((row for row in read() if row["outcome"] == "duplicate"), SHOWN)]
    if copies:
        pairs = [np.hstack([_square(squares, row["id"]), _square(squares, row["of"])]) for row in copies]
        write_png(sheets / sheet_name("duplicates"), contact_sheet(pairs, COLUMNS // 2, gap=6))
    rejected = _first_of_each_reason(read(), pictures)
    images = _thumbnails(rejected, options, processes, seconds, should_stop)
    for reason in {each.reason for each in rejected}:
        chosen = [images[each] for each in rejected if each.reason == reason]
        write_png(sheets / sheet_name(reason), contact_sheet(chosen, COLUMNS))


def thumbnail(rejected: RejectedPicture, *, options: NormalizeOptions) -> np.ndarray:
    """The picture, as far as it can be decoded, padded to (SIDE, SIDE, 3) uint8; a placeholder if it cannot be
    decoded.
    """
    if rejected.reason not in _NOT_DECODED_AGAIN:
        found = decode_partially(rejected.picture.path.read_bytes(), options)
        if isinstance(found, Decoded):
            return pad_to_square(found.raster, SIDE, options.background)
    return placeholder(rejected.picture)


def placeholder(picture: Picture) -> np.ndarray:
    """A tile with the beginning of the id and the size in bytes: (SIDE, SIDE, 3) uint8."""
    tile = np.full((SIDE, SIDE, 3), _BACKGROUND, np.uint8)
    for line, text in enumerate((picture.id[:8], f"{picture.path.stat().st_size} B")):
        cv2.putText(tile, text, (3, 28 + 16 * line), cv2.FONT_HERSHEY_PLAIN, 0.7, _TEXT_COLOUR, 1, cv2.LINE_AA)
    return tile


def _square(squares: Path, id: str) -> np.ndarray:
    """The square of a picture, at most as large as a thumbnail."""
    square = decode_png((squares / f"{id}.png").read_bytes())
    if len(square) <= SIDE:
        return square
    return resize(square, SIDE, SIDE).reshape(SIDE, SIDE, square.shape[2])


def _first_of_each_reason(rows: Iterable[dict[str, Any]], pictures: Sequence[Picture]) -> list[RejectedPicture]:
    """At most SHOWN pictures of each reason; `rows` and `pictures` have the same order."""
    found: dict[str, list[RejectedPicture]] = {}
    for row, picture in zip(rows, pictures, strict=True):
        if row["reason"] and len(found.setdefault(row["reason"], [])) < SHOWN:
            found[row["reason"]].append(RejectedPicture(picture, row["reason"]))
    return [each for some in found.values() for each in some]


def _thumbnails(
    rejected: Sequence[RejectedPicture],
    options: NormalizeOptions,
    processes: int,
    seconds: float,
    should_stop: ShouldStop,
) -> dict[RejectedPicture, np.ndarray]:
    images = {}

    def record(each: RejectedPicture, image: np.ndarray | Lost) -> None:
        images[each] = placeholder(each.picture) if isinstance(image, Lost) else image

    work = partial(thumbnail, options=options)
    work_through(rejected, work, record, processes=processes, seconds=seconds, should_stop=should_stop)
    return images
