"""Encode pixels as PNG, without loss, and decode them."""

import cv2
import numpy as np


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode `pixels`, (H, W), (H, W, 1) or (H, W, 3) RGB uint8, as PNG; equal pixels always give equal bytes."""
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """Decode a PNG file of `encode_png` to (H, W, 1) or (H, W, 3) RGB uint8."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None  # it is a PNG file
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels[..., np.newaxis]


def is_readable(data: bytes) -> bool:
    """Whether `decode_png` can decode `data`."""
    return bool(data) and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is not None
