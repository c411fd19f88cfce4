"""Tiny pictures, and the folders that a training reads and writes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.images.contact_sheet import write_png
from pipeline.options import GanOptions
from pipeline.progress import never, silent
from pipeline.result import Result
from pipeline.store.digest import of_bytes, of_file
from pipeline.store.jsonl import write_rows
from tests.gan.discs import discs

if TYPE_CHECKING:
    from pipeline.gan import Dcgan
    from tests.gan.loop import Faults

SLOWLY = {"learning_rate": 2e-4}  # in eight steps at the default's rate all that is drawn becomes one colour
TINY = {
    "latent": 8,
    "generator": {"width": 8, "optimizer": SLOWLY},
    "discriminator": {"width": 8, "optimizer": SLOWLY},
    "batch": 16,
}
OPTIONS = {"definition": "tiny", "extractor": "own", "epochs": 4, "sample_every": 2, "checkpoint_every": 1, "seed": 5}


@dataclass(frozen=True)
class Place:
    """What a training reads, and where it writes."""

    root: Path
    images: np.ndarray

    @property
    def inputs(self) -> dict[str, Path]:
        return {"normalize": self.root / "normalize", "kept": self.root / "filter"}

    @property
    def definition(self) -> Path:
        return self.root / "tiny.json"

    def folder(self, name: str) -> Path:
        """A folder to train into."""
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def train(self, name: str, *, progress=silent, should_stop=never, live: Path | None = None, **options) -> Result:
        """Train, or go on training, in the folder `name`."""
        from pipeline.gan.train_gan import train_gan

        return train_gan(
            GanOptions(**OPTIONS | options),
            definition=self.definition,
            **self.inputs,
            classifier=None,
            folder=self.folder(name),
            live=live,
            progress=progress,
            should_stop=should_stop,
        )


@pytest.fixture
def faults(monkeypatch) -> "Faults":
    """Steps that take a moment, in place of those of every training; what goes wrong with them is to be set."""
    from pipeline.gan.training import loop
    from tests.gan.loop import Faults

    made = Faults()
    monkeypatch.setattr(loop, "compile_step", made)
    return made


@pytest.fixture
def make_place(tmp_path) -> Callable[..., Place]:
    """Lays out normalise and filter folders for so many pictures, and a definition."""

    def make(count: int = 40, *, definition: dict | None = None, **shape: int) -> Place:
        return lay_out(tmp_path, discs(count, **shape), definition=definition)

    return make


@pytest.fixture
def place(make_place) -> Place:
    """Forty pictures of 16 px, of which eight are rejected: two batches of sixteen remain."""
    return make_place()


@pytest.fixture(scope="package")
def trained(tmp_path_factory) -> Place:
    """The same place again, with a training that nothing disturbed in the folder `gan`. To be read only."""
    place = lay_out(tmp_path_factory.mktemp("trained"), discs(40))
    place.train("gan")
    return place


@pytest.fixture(scope="package")
def images() -> np.ndarray:
    """Forty pictures of 16 px: two batches of sixteen."""
    return discs(40)


@pytest.fixture(scope="package")
def undisturbed(images) -> "Dcgan":
    """Four epochs of them at one go. To be read only."""
    from pipeline.gan import Dcgan

    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=4)
    return gan


def lay_out(root: Path, images: np.ndarray, *, definition: dict | None = None) -> Place:
    """Normalise and filter folders in `root` for `images`, of which every fifth is rejected, and a definition."""
    place = Place(root, images)
    _write_inputs(place, TINY if definition is None else definition)
    return place


def _write_inputs(place: Place, definition: dict) -> None:
    place.definition.write_text(json.dumps(definition))
    (place.root / "normalize" / "images").mkdir(parents=True)
    (place.root / "filter").mkdir()
    rows, scores = [], []
    for number, image in enumerate(place.images):
        name = of_bytes(str(number).encode())
        path = place.root / "normalize" / "images" / f"{name}.png"
        write_png(path, image)
        rows.append({"id": name, "outcome": "kept", "sha256": of_file(path), "file": f"images/{name}.png"})
        outcome = "rejected" if number % 5 == 4 else "kept"
        scores.append({"id": name, "score": 0.9, "label": None, "outcome": outcome})
    write_rows(place.root / "normalize" / "images.jsonl", rows)
    write_rows(place.root / "filter" / "scores.jsonl", scores)
