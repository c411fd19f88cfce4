"""The normalised pictures as one array."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import DamagedState
from pipeline.images.png import decode_png
from pipeline.store import digest, verified

WAY_OUT = "`python -m tasks rerun normalize` makes it again"


class ImageSet(NamedTuple):
    """Pictures in the order of their ids: `images` is (N, size, size, C) uint8, RGB or grey; row i is `ids[i]`."""

    ids: tuple[str, ...]
    images: np.ndarray


def read_images(normalize: Path, ids: Iterable[str] | None = None) -> ImageSet:
    """Read the kept pictures of the finished normalise folder `normalize`, all or those of `ids`, checking each.

    Errors: `DamagedState` naming a file that is missing or not what was written, or an id that is not among the kept,
    or the folder if none is kept.
    """
    rows = {row["id"]: row for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"}
    wanted = tuple(sorted(rows if ids is None else set(ids)))
    if strange := [id for id in wanted if id not in rows]:
        raise DamagedState(f"{normalize} keeps no picture {strange[0]}; {WAY_OUT}")
    if not rows:  # the stage itself makes no such folder
        raise DamagedState(f"{normalize} keeps no picture at all; {WAY_OUT}")
    shape = _read(normalize, next(iter(rows.values()))).shape
    images = np.empty((len(wanted), *shape), np.uint8)
    for place, id in enumerate(wanted):
        images[place] = _read(normalize, rows[id])
    return ImageSet(wanted, images)


def _read(normalize: Path, row: dict[str, Any]) -> np.ndarray:
    path = normalize / row["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedState(f"{path} cannot be read ({error.strerror}); {WAY_OUT}") from None
    if digest.of_bytes(data) != row["sha256"]:
        raise DamagedState(f"{path} is not what was written; {WAY_OUT}")
    return decode_png(data)
