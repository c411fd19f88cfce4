"""Load the weights of a .keras file into a network that this program builds.

Keras would build whatever architecture the file describes, of any size and with any layers. Here the architecture is
known, and only the weights are read from the file.
"""

import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

from pipeline.devices import keras
from pipeline.store.hdf5 import check_weights
from pipeline.store.npz import ForeignFile, StoredZip, or_damaged_file

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
HEADER_ROOM = 8 << 20  # bytes of a weights file beside the weights: names and layout
MAX_CONFIG_BYTES = 1 << 22  # bytes


def load_keras_weights(network: keras.Model, path: Path) -> None:
    """Load the weights of the .keras file `path` into `network`; takes about three times the memory of the weights.

    Raises:
        DamagedFile: If the file cannot be read.
        ForeignFile: If it belongs to another network, or a weight is NaN.
    """
    size = sum(4 * math.prod(weight.shape) for weight in network.weights)
    with StoredZip(path) as archive:
        check_weights(io.BytesIO(archive.read(WEIGHTS, 2 * size + HEADER_ROOM)), most=2 * size + HEADER_ROOM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about weights that the network lacks
            network.load_weights(path)
    except Exception:  # Keras raises several types, depending on what the file lacks
        raise ForeignFile("holds the weights of another network") from None


def read_config(path: Path) -> Any:
    """Read config.json of the .keras file `path`: how its network was built. Raises `DamagedFile`, `ForeignFile`."""
    with StoredZip(path) as archive:
        text = archive.read(CONFIG, MAX_CONFIG_BYTES)
    with or_damaged_file(f"holds a {CONFIG} that is not JSON"):
        return json.loads(text)


def weights_size(path: Path) -> int:
    """Size in bytes of the weights in the .keras file `path`. Raises `DamagedFile`, `ForeignFile`."""
    with StoredZip(path) as archive:
        if WEIGHTS not in archive.sizes:
            raise ForeignFile(f"holds no {WEIGHTS}")
        return archive.sizes[WEIGHTS]
