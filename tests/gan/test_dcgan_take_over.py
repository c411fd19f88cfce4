"""Weights taken over in place, and the discriminator evaluated on labelled pictures."""

import numpy as np
import pytest

from pipeline.devices import ComputeMode
from pipeline.errors import UserError
from pipeline.gan import Dcgan
from tests.gan.compare_dcgan import assert_same, checkpoint_arrays
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs


@pytest.mark.long
def test_take_over_keeps_the_objects_and_goes_on_bit_identically(images, undisturbed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=2)
    gan.save(tmp_path / "half")
    other = Dcgan(images, TINY, seed=8)
    other.train(images, epochs=1)
    state, generator, discriminator = other.state, other.generator, other.discriminator
    other.take_over(tmp_path / "half")
    assert_same(other, gan)
    other.train(images, epochs=2)
    assert_same(other, undisturbed)
    assert (other.state, other.generator, other.discriminator) == (state, generator, discriminator)
    logits = np.asarray(discriminator(images[:4] / 127.5 - 1, training=False))
    assert other.discriminate(images[:4]) == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-3)


def test_take_over_of_another_definition_and_shape(undisturbed, tmp_path):
    undisturbed.save(tmp_path / "saved")
    gan = Dcgan((28, 28), TINY | {"latent": 5}, seed=8)
    before = gan.discriminator
    gan.take_over(tmp_path / "saved")
    assert_same(gan, undisturbed)
    assert (gan.image_shape, gan.definition.latent) == ((16, 16, 3), 8)
    assert gan.discriminator is not before
    assert gan.discriminator.input_shape == (None, 16, 16, 3)


@pytest.mark.long
def test_take_over_of_another_precision_goes_on_as_after_load(images, tmp_path, monkeypatch):
    """As with a GAN from a machine on which the other precision was measured to be faster."""
    chosen = "pipeline.gan.dcgan.choose_compute_mode"
    monkeypatch.setattr(chosen, lambda *_, **__: ComputeMode(dtype="mixed_bfloat16"))
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=1)
    gan.save(tmp_path / "saved")
    monkeypatch.setattr(chosen, lambda *_, **__: ComputeMode())
    other = Dcgan(images, TINY, seed=8)
    loaded = Dcgan.load(tmp_path / "saved")
    other.take_over(tmp_path / "saved")
    for each in (loaded, other):
        each.train(images, epochs=1)
    assert_same(other, loaded)


def test_failed_take_over_changes_nothing(undisturbed, images, tmp_path):
    before = checkpoint_arrays(undisturbed)
    undisturbed.save(tmp_path / "saved")
    final = tmp_path / "saved" / "final.npz"
    final.write_bytes(final.read_bytes()[:-2000] + bytes(2000))
    for folder in (tmp_path / "missing", tmp_path / "saved"):
        with pytest.raises(UserError):
            undisturbed.take_over(folder)
    assert all(np.array_equal(array, before[name]) for name, array in checkpoint_arrays(undisturbed).items())


def test_labels_say_which_pictures_are_real(images, undisturbed):
    pictures, labels = np.concatenate([images, draw_discs(8)[:, ::-1] // 2]), np.array([1] * 40 + [0] * 8)
    found, real, fake = (
        undisturbed.evaluate(pictures, labels=labels),
        undisturbed.discriminate(pictures[:40]),
        undisturbed.discriminate(pictures[40:]),
    )
    assert found.d_loss == pytest.approx(-np.log(real).mean() - np.log(1 - fake).mean(), rel=1e-4)
    assert (found.d_real, found.d_fake) == pytest.approx((real.mean(), fake.mean()), rel=1e-4)
    assert found.accuracy == np.mean(np.concatenate([real > 0.5, fake < 0.5]))
    assert (found.real_accuracy, found.fake_accuracy) == (np.mean(real > 0.5), np.mean(fake < 0.5))
    shuffled = np.random.default_rng(0).permutation(48)
    again = undisturbed.evaluate(pictures[shuffled], labels=labels[shuffled, np.newaxis].astype(float))
    assert again.d_loss == pytest.approx(found.d_loss, rel=1e-4)
    assert again.g_loss == found.g_loss == undisturbed.evaluate(pictures).g_loss


@pytest.mark.parametrize("label", [0, 1])
def test_labels_may_be_all_alike(images, undisturbed, label):
    found, p = undisturbed.evaluate(images, labels=[label] * 40), undisturbed.discriminate(images)
    assert found.d_loss == pytest.approx(-np.log(p if label else 1 - p).mean(), rel=1e-4)
    assert found.accuracy == np.mean((p > 0.5) == label)
    assert (found.d_real is None, found.d_fake is None) == (not label, bool(label))


def test_paired_loss_needs_as_many_reals_as_fakes(images):
    plain = {"generator": {"width": 8}, "discriminator": {"width": 8, "norm": "none"}}
    gan = Dcgan((16, 16, 3), TINY | plain | {"loss": "relativistic"})
    with pytest.raises(UserError, match="labels: 30 reals and 10 fakes, and the loss relativistic compares pairs"):
        gan.evaluate(images, labels=[1] * 30 + [0] * 10)
    assert gan.evaluate(images, labels=[1] * 20 + [0] * 20).d_loss > 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1] * 39, r"labels of shape \(39,\): give one for each of the 40 pictures"),
        ([0.9] * 40, "labels: expected 1 for each real and 0 for each fake"),
        (["real"] * 40, "labels: expected 1 for each real"),
        ([float("nan")] * 40, "labels: expected 1 for each real"),
    ],
    ids=["too few", "smoothed", "words", "NaN"],
)
def test_invalid_labels_are_refused(images, undisturbed, labels, message):
    with pytest.raises(UserError, match=message):
        undisturbed.evaluate(images, labels=labels)
