"""A small drawn subject: discs are on target, bars are off target."""

import hashlib
import json
from pathlib import Path

import numpy as np

from pipeline.images.png import encode_png

SIDE = 40


def draw(number: int, on: bool, channels: int = 3) -> np.ndarray:
    """Draw one square (40, 40, channels) uint8 with its own colour, position and noise."""
    random = np.random.default_rng([number, on])
    image = random.integers(60, 120, (SIDE, SIDE, channels)) + random.integers(-20, 20, channels)
    row, column = np.mgrid[:SIDE, :SIDE] - random.integers(15, 25, 2)[:, np.newaxis, np.newaxis]
    shape = np.hypot(row, column) < random.integers(8, 13) if on else np.abs(row) < random.integers(3, 6)
    image[shape] += random.integers(70, 130, channels)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_normalized(folder: Path, images: list[np.ndarray]) -> list[str]:
    """Write a finished folder of squares; returns their ids in the order of `images`."""
    (folder / "images").mkdir(parents=True)
    ids, rows = [], []
    for image in images:
        id, data = hashlib.sha256(b"raw" + image.tobytes()).hexdigest(), encode_png(image)
        (folder / "images" / f"{id}.png").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        rows.append({"id": id, "outcome": "kept", "sha256": sha256, "file": f"images/{id}.png"})
        ids.append(id)
    (folder / "images.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ids
