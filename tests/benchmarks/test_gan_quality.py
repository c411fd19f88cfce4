import numpy as np
import pytest

from benchmarks import gan_quality
from benchmarks.gan_quality import Turn, in_comparison, named

SIZE = 16
TINY = {"latent": 4, "batch": 8, "generator": {"width": 4}, "discriminator": {"width": 4}}


def test_a_start_with_other_networks_is_compared_at_the_end():
    words = in_comparison([3.0, 2.0, 1.0], [1.5, 0.9, 0.5], [1, 2, 10])
    assert words == "from nothing the KID is 1.000 after 10 minutes; from other networks it is after 2 minutes"
    assert in_comparison([1.0], [1.1], [10]).endswith("it is not by then")


def test_the_plain_one_is_the_dcgan_of_2016_whatever_the_defaults_are():
    plain = named("plain", {})
    assert (plain.batch, plain.generator.width, plain.generator.optimizer.learning_rate) == (64, 64, 2e-4)
    assert (plain.generator.upsample, plain.augment.flip, plain.augment.policies) == ("transposed", "never", ())
    assert (plain.generator.optimizer.beta_2, plain.ema.half_life) == (0.999, 0)


@pytest.fixture
def turn(monkeypatch):
    monkeypatch.setattr(gan_quality, "SAMPLES", 10)
    images = np.random.default_rng(0).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
    return Turn(named("tiny", {"tiny": TINY}), images, (1e-9, 2e-9), processor=True, seed=0)


def test_samples_are_drawn_after_each_of_the_minutes(turn):
    first, last = gan_quality.train(turn)
    assert first.samples.shape == (gan_quality.SAMPLES, SIZE, SIZE, 3)
    assert 0 < first.seen < last.seen


def test_a_training_begins_with_networks_that_are_given(turn):
    with gan_quality._trainer(turn) as training:
        networks = {name: array + 1 for name, array in training.state.arrays().items()}
    assert not np.array_equal(
        gan_quality.train(Turn(**{**vars(turn), "start": networks}))[0].samples, gan_quality.train(turn)[0].samples
    )
    with pytest.raises(SystemExit, match="of another form"):
        gan_quality.train(Turn(**{**vars(turn), "start": {}}))
