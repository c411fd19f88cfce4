"""Stages and `Dcgan` with a vision-aided discriminator: what it learns with never scores its samples."""

import json

import numpy as np
import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.gan import Dcgan
from pipeline.gan.generate import generate
from pipeline.options import GenerateOptions
from pipeline.progress import TellingProgress, never, silent
from pipeline.store.jsonl import read_rows
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs
from tests.gan.interrupted import Killed, assert_same, final, kill_at

AIDED = TINY | {"discriminator": TINY["discriminator"] | {"vision_aided": True}}
pytestmark = pytest.mark.usefixtures("shipped_weights")


@pytest.mark.long
def test_a_killed_training_resumes_bit_identically(make_workspace):
    workspace = make_workspace(definition=AIDED)
    workspace.train("a")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, "pipeline.gan.training.loop.save_checkpoint", 3)
        with pytest.raises(Killed):
            workspace.train("b")
    workspace.train("b")
    assert_same(workspace.folder("b"), workspace.folder("a"))
    assert "vision_aid/000" in final(workspace.folder("b"))


def test_the_stages_score_by_another_network(make_workspace):
    workspace, lines = make_workspace(definition=AIDED), []
    progress = TellingProgress(show=silent, tell=lines.append)
    workspace.train("a", extractor="auto", epochs=1, sample_every=1, progress=progress)
    told = "scores samples by textures-64: the discriminator learns with EfficientNet-Lite0"
    assert any(told in line for line in lines)
    scored = [
        row["extractor"] for row in read_rows(workspace.folder("a") / "stats.jsonl") if row.get("kid") is not None
    ]
    assert scored
    assert set(scored) == {"textures-64"}
    folder = workspace.folder("samples")
    generate(
        GenerateOptions(count=20, grid=4, extractor="auto", seed=5, film=0),
        gan=workspace.folder("a"),
        **workspace.inputs,
        classifier=None,
        folder=folder,
        progress=silent,
        should_stop=never,
    )
    assert json.loads((folder / "samples.json").read_text())["extractor"] == "textures-64"


def test_dcgan_scores_by_another_network_and_judges_with_the_aid(tmp_path):
    images = draw_discs(40)
    gan = Dcgan((16, 16, 3), AIDED)
    gan.train(images, epochs=1)
    assert gan.score(images, count=20).extractor == "textures-64"
    file = pretrained.find_shipped().path
    with pytest.raises(UserError, match="the vision-aided discriminator learns with these weights"):
        gan.score(images, count=20, extractor=str(file))
    probabilities = gan.discriminate(images[:4])
    assert probabilities.shape == (4,)
    gan.save(tmp_path / "gan")
    again = Dcgan.load(tmp_path / "gan")
    assert np.array_equal(again.discriminate(images[:4]), probabilities)
    assert "a frozen network judged beside it: EfficientNetLite0" in (tmp_path / "gan" / "README.md").read_text()
    for head in again.state.vision_aid.variables:
        head.assign(np.zeros(head.shape))
    assert not np.array_equal(again.discriminate(images[:4]), probabilities)
