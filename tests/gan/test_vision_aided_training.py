"""Stages and `Dcgan` with a vision-aided discriminator."""

import numpy as np
import pytest

from pipeline.gan import Dcgan
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs
from tests.gan.interrupted import Killed, assert_same, final, kill_at

AIDED = TINY | {"discriminator": TINY["discriminator"] | {"vision_aided": True}}


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


def test_dcgan_judges_with_the_aid(tmp_path):
    images = draw_discs(40)
    gan = Dcgan((16, 16, 3), AIDED)
    gan.train(images, epochs=1)
    probabilities = gan.discriminate(images[:4])
    assert probabilities.shape == (4,)
    gan.save(tmp_path / "gan")
    again = Dcgan.load(tmp_path / "gan")
    assert np.array_equal(again.discriminate(images[:4]), probabilities)
    assert "a frozen network judged beside it: EfficientNetLite1" in (tmp_path / "gan" / "README.md").read_text()
    for head in again.state.vision_aid.variables:
        head.assign(np.zeros(head.shape))
    assert not np.array_equal(again.discriminate(images[:4]), probabilities)
