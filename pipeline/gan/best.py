"""The averaged generator as it was when its samples were nearest to the reals."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.filter.npz import Arrays, Form, Forms
from pipeline.gan.checkpoint import read_arrays, write_arrays
from pipeline.gan.networks import Staged
from pipeline.gan.runtime import keras

BEST, AVERAGE = "best.npz", "average/"
SAID = {
    "epoch": Form(("int64",)),
    "kid": Form(("float64",)),
    "extractor": Form(("uint8",), (None,), most=1 << 10),
}


class Best:
    """The file best.npz in the folder of a training: weights, epoch, KID and what it was measured with.

    `forms` are those of a training's state, of which the file holds the averaged generator. A damaged one, or one of
    something else, counts as none.
    """

    def __init__(self, folder: Path, forms: Forms) -> None:
        self._path = folder / BEST
        self._forms = {**SAID, **{name: form for name, form in forms.items() if name.startswith(AVERAGE)}}
        self.epoch, self.kid, self.extractor = 0, None, ""
        if arrays := read_arrays(self._path, self._forms):
            self.epoch, self.kid = int(arrays["epoch"]), float(arrays["kid"])
            self.extractor = arrays["extractor"].tobytes().decode(errors="replace")

    def saw(self, row: dict[str, Any]) -> bool:
        """Whether the line `row` has the lowest KID so far, or the first with its extractor."""
        kid = row.get("kid")
        return kid is not None and (self.kid is None or kid < self.kid or row["extractor"] != self.extractor)

    def keep(self, row: dict[str, Any], average: Staged) -> None:
        """Put `average` into the file, as that of `row`."""
        self.epoch, self.kid, self.extractor = row["epoch"], row["kid"], row["extractor"]
        weights = {f"{AVERAGE}{place:03d}": _array(variable) for place, variable in enumerate(average.variables)}
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
        arrays = read_arrays(self._path, self._forms)
        return arrays and {name: array for name, array in arrays.items() if name.startswith(AVERAGE)}


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value))
