"""Read a file in the format safetensors without trusting it: a JSON header of names, types, shapes and offsets, then
the raw numbers (https://github.com/huggingface/safetensors). Nothing in it is executed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.store.npz import DamagedFile, ForeignFile

MAX_HEADER = 1 << 20  # bytes; a few hundred arrays need less than a tenth
FLOAT32 = "F32"


def read_arrays(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the float32 arrays named in `shapes`, which must have these shapes and be finite; others are left out.

    Raises:
        DamagedFile: The file cannot be read, or is not of this format.
        ForeignFile: An array is missing, or has another type or shape, or NaN.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"cannot be read ({error.strerror})") from None
    size = int.from_bytes(body[:8], "little")
    if len(body) < 8 or not 0 < size <= min(MAX_HEADER, len(body) - 8):
        raise DamagedFile("is not in the format safetensors")
    try:
        header = json.loads(body[8 : 8 + size])
    except (ValueError, RecursionError):
        raise DamagedFile("is not in the format safetensors") from None
    if not isinstance(header, dict):
        raise DamagedFile("is not in the format safetensors")
    return {name: _array(name, header.get(name), body, 8 + size, shape) for name, shape in shapes.items()}


def _array(name: str, entry: object, body: bytes, start: int, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(entry, dict):
        raise ForeignFile(f"holds no {name}")
    if entry.get("dtype") != FLOAT32 or entry.get("shape") != list(shape):
        raise ForeignFile(f"holds a {name} of another type or shape than {FLOAT32} {shape}")
    count, offsets = math.prod(shape), entry.get("data_offsets")
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(each) is int for each in offsets)):
        raise DamagedFile(f"holds a {name} without offsets")
    if offsets[0] < 0 or offsets[1] - offsets[0] != 4 * count or start + offsets[1] > len(body):
        raise DamagedFile(f"holds a {name} that is not where its header says")
    found = np.frombuffer(body, "<f4", count, start + offsets[0]).reshape(shape)
    if not np.isfinite(found).all():
        raise ForeignFile(f"holds a {name} with NaN or infinite numbers")
    return found
