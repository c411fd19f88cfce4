"""The averaged generator as it was when its samples were nearest to the reals."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.gan.checkpoint import Arrays, read_arrays, write_arrays
from pipeline.gan.networks import Staged
from pipeline.gan.runtime import keras

BEST = "best.npz"


class Best:
    """The file best.npz in the folder of a training: weights, epoch, KID and what it was measured with.

    A damaged one counts as none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BEST
        arrays = read_arrays(self._path) or {}
        self.epoch, self.kid = int(arrays.get("epoch", 0)), float(arrays["kid"]) if arrays else None
        self.extractor = arrays["extractor"].tobytes().decode() if "extractor" in arrays else ""

    def saw(self, row: dict[str, Any]) -> bool:
        """Whether the line `row` has the lowest KID so far, or the first with its extractor."""
        kid = row.get("kid")
        return kid is not None and (self.kid is None or kid < self.kid or row["extractor"] != self.extractor)

    def keep(self, row: dict[str, Any], average: Staged) -> None:
        """Put `average` into the file, as that of `row`."""
        self.epoch, self.kid, self.extractor = row["epoch"], row["kid"], row["extractor"]
        weights = {f"average/{place:03d}": _array(variable) for place, variable in enumerate(average.variables)}
        said = {"epoch": np.int64(self.epoch), "kid": np.float64(self.kid)}
        said["extractor"] = np.frombuffer(self.extractor.encode(), np.uint8)
        write_arrays(self._path, {**said, **weights})

    def forget_after(self, epoch: int) -> None:
        """Drop what comes from beyond `epoch`, from which training goes on: it comes again."""
        if self.epoch > epoch:
            self._path.unlink(missing_ok=True)
            self.epoch, self.kid, self.extractor = 0, None, ""

    def weights(self) -> Arrays | None:
        """The averaged generator's arrays, as `TrainState.arrays()` has them; None if nothing was kept."""
        arrays = read_arrays(self._path)
        return arrays and {name: array for name, array in arrays.items() if name.startswith("average/")}


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value))
