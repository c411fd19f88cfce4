"""Encode pixels as PNG, without loss, and decode them."""

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
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels[..., np.newaxis]


def is_readable(data: bytes) -> bool:
    """Whether `decode_png` gets pixels out of `data`."""
    return bool(data) and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is not None
