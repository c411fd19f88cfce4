"""Read the squares of a dataset as one array."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import DamagedState
from pipeline.images.png import decode_png
from pipeline.store import digest, verified

REMEDY = "`python -m tasks rerun normalize` makes it again"


class ImageSet(NamedTuple):
    """Squares ordered by id: `images` is (N, size, size, C) uint8, RGB or grey; row i belongs to `ids[i]`."""

    ids: tuple[str, ...]
    images: np.ndarray


def read_images(normalize: Path, ids: Iterable[str] | None = None) -> ImageSet:
    """Read the kept squares of the artifact `normalize`, all or those of `ids`, and verify each against its SHA-256.

    Raises:
        DamagedState: a file is missing or changed, an id is not among the kept ones, or no square is kept.
    """
    rows = {row["id"]: row for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"}
    chosen = tuple(sorted(rows if ids is None else set(ids)))
    if unknown := [id for id in chosen if id not in rows]:
        raise DamagedState(f"{normalize} keeps no picture {unknown[0]}; {REMEDY}")
    if not rows:  # the stage never publishes such an artifact
        raise DamagedState(f"{normalize} keeps no picture at all; {REMEDY}")
    shape = _read_square(normalize, next(iter(rows.values()))).shape
    images = np.empty((len(chosen), *shape), np.uint8)
    for index, id in enumerate(chosen):
        images[index] = _read_square(normalize, rows[id])
    return ImageSet(chosen, images)


def _read_square(normalize: Path, row: dict[str, Any]) -> np.ndarray:
    path = normalize / row["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedState(f"{path} cannot be read ({error.strerror}); {REMEDY}") from None
    if digest.of_bytes(data) != row["sha256"]:
        raise DamagedState(f"{path} is not what was written; {REMEDY}")
    return decode_png(data)
