"""Read the weights of a .keras file into a network that is built here.

Keras would build whatever such a file describes, of any size and of any layers. Here the network is known, and only
numbers are read from the file.
"""

import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

from pipeline.devices import keras
from pipeline.store.hdf5 import check_weights
from pipeline.store.npz import Foreign, StoredZip, or_damaged

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
ROOM = 8 << 20  # bytes of a file of weights beside the numbers: names, and how they are laid out
MOST_CONFIG = 1 << 22  # bytes


def fill(network: keras.Model, path: Path) -> None:
    """Give `network` the weights in the .keras file `path`, which is of one like it.

    It takes some three times the memory of the weights. Errors: `Damaged`; `Foreign` if it is of another network, or
    holds NaN.
    """
    size = sum(4 * math.prod(weight.shape) for weight in network.weights)
    with StoredZip(path) as archive:
        check_weights(io.BytesIO(archive.read(WEIGHTS, 2 * size + ROOM)), most=2 * size + ROOM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Keras finds no place for
            network.load_weights(path)
    except Exception:  # of any kind: it depends on where in the file what is sought is not
        raise Foreign("holds the weights of another network") from None


def read_config(path: Path) -> Any:
    """How the network in the .keras file `path` was built, as JSON has it. Errors: `Damaged`, `Foreign`."""
    with StoredZip(path) as archive:
        text = archive.read(CONFIG, MOST_CONFIG)
    with or_damaged(f"holds a {CONFIG} that is not JSON"):
        return json.loads(text)


def weights_size(path: Path) -> int:
    """The bytes that weights take in the .keras file `path`. Errors: `Damaged`, `Foreign`."""
    with StoredZip(path) as archive:
        if WEIGHTS not in archive.sizes:
            raise Foreign(f"holds no {WEIGHTS}")
        return archive.sizes[WEIGHTS]
