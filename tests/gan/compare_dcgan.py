"""Compares the checkpoints and statistics of two `Dcgan`s: they must be bit-identical."""

from pathlib import Path

import numpy as np

from pipeline.gan import Dcgan
from pipeline.gan.training.checkpoint import read_arrays


def checkpoint_arrays(gan: Dcgan) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, without the seconds."""
    gan.save(folder := Path(gan._session._new_folder()))
    return {name: array for name, array in read_arrays(folder / "final.npz").items() if name != "seconds"}


def assert_same(one: Dcgan, other: Dcgan) -> None:
    """Assert that two GANs are bit-identical and have the same statistics."""
    mine, theirs = checkpoint_arrays(one), checkpoint_arrays(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert _figures(one) == _figures(other)


def _figures(gan: Dcgan) -> list[dict]:
    timed = ("seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in gan.history.rows]
