"""Tiny pictures, and workspaces with the folders that a training reads and writes."""

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
from tests.gan.drawn_discs import draw_discs

if TYPE_CHECKING:
    from pipeline.gan import Dcgan
    from tests.gan.fake_steps import FakeSteps

SLOWLY = {"learning_rate": 2e-4}  # at the default rate all samples become one colour within eight steps
TINY = {
    "latent": 8,
    "generator": {"width": 8, "optimizer": SLOWLY},
    "discriminator": {"width": 8, "optimizer": SLOWLY},
    "batch": 16,
}
OPTIONS = {"definition": "tiny", "extractor": "own", "epochs": 4, "sample_every": 2, "checkpoint_every": 1, "seed": 5}


@dataclass(frozen=True)
class Workspace:
    """The folders that a training reads and writes."""

    root: Path
    images: np.ndarray

    @property
    def inputs(self) -> dict[str, Path]:
        return {"normalize": self.root / "normalize", "kept": self.root / "filter"}

    @property
    def definition(self) -> Path:
        return self.root / "tiny.json"

    def folder(self, name: str) -> Path:
        """The training folder `name`, created if missing."""
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def train(
        self,
        name: str,
        *,
        progress=silent,
        should_stop=never,
        start: Path | None = None,
        live: Path | None = None,
        continues: Path | None = None,
        download: Path | None = None,
        **options,
    ) -> Result:
        """Train, or resume training, in the folder `name`."""
        from pipeline.gan.continuation import Continuation
        from pipeline.gan.train_gan import train_gan

        return train_gan(
            GanOptions(**OPTIONS | options),
            definition=self.definition,
            **self.inputs,
            classifier=None,
            folder=self.folder(name),
            live=live,
            continues=Continuation(folder=continues),
            start=start,
            download=download,
            progress=progress,
            should_stop=should_stop,
        )


@pytest.fixture
def fake_steps(monkeypatch) -> "FakeSteps":
    """Replaces the steps of every training by fast ones that can fail on request."""
    from pipeline.gan.training import loop
    from tests.gan.fake_steps import FakeSteps

    made = FakeSteps()
    monkeypatch.setattr(loop, "compile_step", made)
    return made


@pytest.fixture
def make_workspace(tmp_path) -> Callable[..., Workspace]:
    """Makes a workspace with `count` pictures and a definition."""

    def make(count: int = 40, *, definition: dict | None = None, **shape: int) -> Workspace:
        return build_workspace(tmp_path, draw_discs(count, **shape), definition=definition)

    return make


@pytest.fixture
def workspace(make_workspace) -> Workspace:
    """Forty pictures of 16 px, of which eight are rejected: two batches of sixteen."""
    return make_workspace()


@pytest.fixture(scope="package")
def trained(tmp_path_factory) -> Workspace:
    """The same workspace with an uninterrupted training in the folder `gan`. Read only."""
    workspace = build_workspace(tmp_path_factory.mktemp("trained"), draw_discs(40))
    workspace.train("gan")
    return workspace


@pytest.fixture
def fast_evaluator(monkeypatch) -> None:
    """Replaces the sample evaluator of the stage by a fast one."""
    from tests.gan.fake_evaluator import BrightnessEvaluator

    monkeypatch.setattr("pipeline.gan.train_gan.SampleEvaluator", BrightnessEvaluator)


@pytest.fixture(scope="package")
def whole_training(tmp_path_factory) -> Path:
    """The folder of an uninterrupted training of the stage with `fast_evaluator`. Read only."""
    from tests.gan.fake_evaluator import BrightnessEvaluator

    workspace = build_workspace(tmp_path_factory.mktemp("undisturbed"), draw_discs(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.gan.train_gan.SampleEvaluator", BrightnessEvaluator)
        workspace.train("a")
    return workspace.folder("a")


@pytest.fixture(scope="package")
def images() -> np.ndarray:
    """Forty pictures of 16 px: two batches of sixteen."""
    return draw_discs(40)


@pytest.fixture(scope="package")
def undisturbed(images) -> "Dcgan":
    """A `Dcgan` after one uninterrupted training of four epochs. Read only."""
    from pipeline.gan import Dcgan

    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=4)
    return gan


def build_workspace(root: Path, images: np.ndarray, *, definition: dict | None = None) -> Workspace:
    """Write the folders of normalise and filter into `root` for `images`, of which every fifth is rejected."""
    workspace = Workspace(root, images)
    _write_inputs(workspace, TINY if definition is None else definition)
    return workspace


def _write_inputs(workspace: Workspace, definition: dict) -> None:
    workspace.definition.write_text(json.dumps(definition))
    (workspace.root / "normalize" / "images").mkdir(parents=True)
    (workspace.root / "filter").mkdir()
    rows, scores = [], []
    for number, image in enumerate(workspace.images):
        name = of_bytes(str(number).encode())
        path = workspace.root / "normalize" / "images" / f"{name}.png"
        write_png(path, image)
        rows.append({"id": name, "outcome": "kept", "sha256": of_file(path), "file": f"images/{name}.png"})
        outcome = "rejected" if number % 5 == 4 else "kept"
        scores.append({"id": name, "score": 0.9, "label": None, "outcome": outcome})
    write_rows(workspace.root / "normalize" / "images.jsonl", rows)
    write_rows(workspace.root / "filter" / "scores.jsonl", scores)
