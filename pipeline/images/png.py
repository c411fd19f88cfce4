"""PNG files: lossless, and never half written."""

import os
from pathlib import Path

import cv2
import numpy as np


def encode_png(pixels: np.ndarray) -> bytes:
    """`pixels`, (H, W), (H, W, 1) or (H, W, 3) RGB uint8, as a PNG file; the same pixels always give the same bytes."""
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """The pixels of a PNG file that `encode_png` made, (H, W, 1) or (H, W, 3) RGB uint8."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None  # it is a PNG file
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels[..., np.newaxis]


def is_readable(data: bytes) -> bool:
    """Whether `decode_png` gets pixels out of `data`."""
    return bool(data) and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is not None


def write_whole(path: Path, data: bytes | memoryview, *, sync: bool = True) -> None:
    """Put `data` at `path` in one step: a reader sees all of it or what was there before.

    With `sync` it is on the disk when this returns; without, a loss of power soon after may still take it.
    """
    draft = path.with_name(f".{path.name}.part")  # always this name, so that a later try sweeps up after a killed one
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    os.replace(draft, path)
