"""A training that begins with the networks of another one."""

import json

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.progress import TellingProgress
from tests.gan.conftest import build_workspace
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


@pytest.mark.slow
def test_a_training_whose_only_checkpoint_is_damaged_begins_with_the_start_again(workspace, whole_training):
    start, lines = whole_training / "final.npz", []
    for damaged in (True, False):
        with pytest.raises(InterruptedError):
            workspace.train("b", start=start, progress=interrupted(lines))
        checkpoint = workspace.folder("b") / "checkpoints" / "step-000000000.npz"
        if damaged:
            checkpoint.write_bytes(b"PK")
    assert lines == [f"begins with the networks of {whole_training} (tiny, 16 px)"] * 2
    found, given = read_arrays(checkpoint), read_arrays(start)
    assert np.array_equal(found["discriminator/000"], given["discriminator/000"])


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


def test_other_networks_are_refused_with_what_they_are_of(workspace, whole_training, tmp_path):
    says = r"^gan\.start: the networks in .*final\.npz are not of the form .* with gan\.definition = tiny, on "
    small = r"normalize\.size = 16, normalize\.colour = rgb and no classes"
    (tmp_path / "larger").mkdir()
    larger = build_workspace(tmp_path / "larger", draw_discs(32, size=32))
    with pytest.raises(UserError, match=says + small + ", and this one on normalize.size = 32, .* and no classes$"):
        larger.train("b", start=whole_training / "final.npz")
    tree = json.loads(workspace.definition.read_text())
    workspace.definition.write_text(json.dumps(tree | {"latent": 9}))
    with pytest.raises(UserError, match=f"{says}{small}, and this one on {small}, so the definition is another"):
        workspace.train("b", start=whole_training / "final.npz")


@pytest.mark.parametrize("damage", [b"", b"PK nothing"])
def test_a_damaged_start_is_one_line(workspace, damage):
    start = workspace.root / "final.npz"
    start.write_bytes(damage)
    with pytest.raises(UserError, match=r"^gan\.start: .*final\.npz .*; give another training$"):
        workspace.train("b", start=start)
