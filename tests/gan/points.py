"""Where two trainings stand, compared bit for bit."""

from pathlib import Path

import numpy as np

from pipeline.gan import Dcgan
from pipeline.gan.training.checkpoint import read_arrays


def point(gan: Dcgan) -> dict[str, np.ndarray]:
    """All that going on from here depends on, without how long it took."""
    gan.save(folder := Path(gan._session._new_folder()))
    return {name: array for name, array in read_arrays(folder / "final.npz").items() if name != "seconds"}


def assert_same(one: Dcgan, other: Dcgan) -> None:
    """Two GANs are at the same point of the same training, bit for bit."""
    mine, theirs = point(one), point(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert _figures(one) == _figures(other)


def _figures(gan: Dcgan) -> list[dict]:
    timed = ("seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in gan.history.rows]
