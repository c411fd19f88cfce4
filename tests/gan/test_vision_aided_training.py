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


def test_dcgan_evaluates_by_the_loss_of_the_training():
    images = draw_discs(40)
    gan = Dcgan((16, 16, 3), AIDED)
    gan.train(images, epochs=1)
    found = gan.evaluate(images)
    for head in gan.state.vision_aid.heads:
        head.layers[-1].kernel.assign(np.zeros(head.layers[-1].kernel.shape))
        head.layers[-1].bias.assign([0.0])
    unsure = gan.evaluate(images)  # heads that say 0 have a loss of log 2 on reals and on fakes
    gan.state.vision_aid.heads[0].layers[-1].bias.assign([100.0])
    gan.state.vision_aid.heads[1].layers[-1].bias.assign([100.0])
    sure = gan.evaluate(images)  # and those that call all pictures real one of 100 on fakes
    assert sure.d_loss - unsure.d_loss == pytest.approx(0.4 * (100 - 2 * np.log(2)), abs=1e-3)
    assert unsure.g_loss - sure.g_loss == pytest.approx(0.4 * np.log(2), abs=1e-3)
    assert found.d_loss != unsure.d_loss
