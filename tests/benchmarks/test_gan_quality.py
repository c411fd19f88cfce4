from dataclasses import replace

import numpy as np
import pytest

from benchmarks import gan_quality
from benchmarks.gan_quality import Turn, in_comparison, named, turn_on

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


def test_the_subfolders_are_the_classes_of_a_conditional_definition(turn, tmp_path, monkeypatch):
    parts = {"daisy": turn.images[:10], "rose": turn.images[10:]}
    monkeypatch.setattr(gan_quality, "read", lambda path, side: parts[path.name])
    for name in parts:
        (tmp_path / name).mkdir()
    conditional = replace(turn, definition=named("tiny", {"tiny": TINY | {"conditional": True}}))
    on_folder = turn_on(tmp_path, conditional, side=SIZE)
    assert on_folder.classes.in_words() == "2 classes: daisy (10), rose (14)"
    assert gan_quality.train(on_folder)[0].samples.shape == (gan_quality.SAMPLES, SIZE, SIZE, 3)
    with pytest.raises(SystemExit, match="needs two subfolders or more"):
        turn_on(tmp_path / "rose", conditional, side=SIZE)


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
