"""A training that begins with the networks of another one."""

import dataclasses
import json

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.progress import TellingProgress
from tests.gan.drawn_discs import draw_discs

pytestmark = pytest.mark.usefixtures("fast_evaluator")


def test_the_networks_are_those_of_the_start_and_the_optimizers_are_new(workspace, whole_training):
    lines = []
    start = whole_training / "final.npz"
    with pytest.raises(InterruptedError):
        workspace.train("b", start=start, progress=interrupted(lines))
    found, given = (read_arrays(path) for path in (workspace.folder("b") / "checkpoints" / "step-000000000.npz", start))
    assert lines == [f"begins with the networks of {whole_training} (tiny, 16 px)"]
    assert given["generator_optimizer/000"] > 0
    assert found["generator_optimizer/000"] == 0
    for name in given:
        if name.startswith(("generator/", "average/", "discriminator/")):
            assert np.array_equal(found[name], given[name]), name


def interrupted(lines: list[str]) -> TellingProgress:
    """A progress that ends the training at its first step, and keeps the lines that it is told."""

    def progress(done: int, total: int, note: str = "") -> None:
        if done:
            raise InterruptedError

    return TellingProgress(progress, lines.append)


@pytest.mark.long
def test_a_training_that_resumes_does_not_begin_again(workspace, whole_training):
    start = whole_training / "final.npz"
    expected = workspace.train("a", start=start).outputs
    with pytest.raises(InterruptedError):
        workspace.train("b", start=start, progress=interrupted([]))
    assert workspace.train("b", start=start).outputs == expected
    assert workspace.train("c").outputs != expected


def test_other_networks_are_refused_with_what_they_are_of(workspace, whole_training):
    larger = dataclasses.replace(workspace, images=draw_discs(32, size=32))
    tree = json.loads(workspace.definition.read_text())
    workspace.definition.write_text(json.dumps(tree | {"latent": 9}))
    assert larger.images.shape[1] == 32
    with pytest.raises(UserError, match=r"gan\.start: the networks in .*final\.npz are not of the form .* = tiny and"):
        workspace.train("b", start=whole_training / "final.npz")


@pytest.mark.parametrize("damage", [b"", b"PK nothing"])
def test_a_damaged_start_is_one_line(workspace, damage):
    start = workspace.root / "final.npz"
    start.write_bytes(damage)
    with pytest.raises(UserError, match=r"^gan\.start: .*final\.npz .*; give another training$"):
        workspace.train("b", start=start)
