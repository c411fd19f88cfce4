"""Small pictures in different formats, and a download artifact made of them."""

import json
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.images.thumbnail_distances import Thumbnails
from pipeline.store import digest


def draw(seed: int, width: int = 96, height: int = 80) -> np.ndarray:
    """A smooth random picture for each seed: (height, width, 3) uint8, a sum of waves in three colours."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j][..., np.newaxis]
    waves = 0
    for _ in range(8):
        across, down, phase = random.normal(0, 2, (3, 3))
        waves = waves + np.sin(2 * np.pi * (across * x + down * y) + phase) * random.uniform(0.3, 1, 3)
    return np.clip(128 + 40 * waves, 0, 255).astype(np.uint8)


def encode(pixels: np.ndarray, format: str = "PNG", **options) -> bytes:
    """Encode `pixels` as a file of `format`, with options of Pillow's `save`."""
    file = BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(file, format, **options)
    return file.getvalue()


@pytest.fixture(name="draw")
def draw_fixture() -> Callable:
    return draw


@pytest.fixture(name="encode")
def encode_fixture() -> Callable:
    return encode


@pytest.fixture
def make_download(tmp_path: Path) -> Callable[[Iterable[bytes]], Path]:
    """Make a download folder with the given files; returns its path."""

    def make(bodies: Iterable[bytes]) -> Path:
        folder = tmp_path / "download"
        (folder / "images").mkdir(parents=True)
        rows = [{"id": None, "url": "http://x/gone", "outcome": "failed", "reason": "404"}]
        for body in bodies:
            id = digest.of_bytes(body)
            (folder / "images" / f"{id}.bin").write_bytes(body)
            rows.append({"id": id, "url": f"http://x/{id}", "outcome": "saved", "reason": ""})
        (folder / "images.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return make


@pytest.fixture
def compared(monkeypatch) -> list[int]:
    """How many thumbnails each call of `Thumbnails.similar` looks at."""
    counts, similar = [], Thumbnails.similar

    def counted(self, places, thumbnail, most):
        counts.append(len(places))
        return similar(self, places, thumbnail, most)

    monkeypatch.setattr(Thumbnails, "similar", counted)
    return counts
