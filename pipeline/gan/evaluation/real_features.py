"""The features of many reals, kept on the disk part by part, for who may be ended before all are computed."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.images.packed import Images
from pipeline.store.atomic import open_whole

BATCH = 64  # reals whose features are computed at a time
PART = 64 * BATCH  # reals of one file: their features take some seconds and 20 MB


def kept_features(
    folder: Path, count: int, read: Callable[[], Images], extract: Callable[[np.ndarray], np.ndarray]
) -> Iterator[np.ndarray]:
    """The features (at most PART, D) of `count` reals in their order, a part at a time.

    Parts that are in `folder` are read; others are computed and written there, so that what is ended meanwhile can go
    on. Nothing else may be in `folder`, which is created; whoever names it must name what it depends on.

    Args:
        folder: For the parts.
        count: How many reals there are.
        read: Gives the reals (count, S, S, C) uint8; called only if a part is missing.
        extract: Computes the features (M, D) float32 of (M, S, S, C), M at most BATCH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images: Images | None = None
    for number, start in enumerate(range(0, count, PART)):
        path, size = folder / f"{number:05d}.npy", min(PART, count - start)
        features = _read(path, size)
        if features is None:
            images = read() if images is None else images
            firsts = range(start, start + size, BATCH)
            features = np.concatenate([extract(images[first : min(first + BATCH, start + size)]) for first in firsts])
            with open_whole(path, sync=False, unique=True) as file:
                np.save(file, features)
        yield features


def _read(path: Path, size: int) -> np.ndarray | None:
    """The features of `size` reals in the file `path`; None if there are none."""
    with suppress(OSError, ValueError, EOFError):
        features = np.load(path, allow_pickle=False)
        if features.ndim == 2 and len(features) == size:
            return features
    return None
