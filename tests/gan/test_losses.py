import numpy as np
import pytest

from pipeline.gan.losses import discriminator_loss, generator_loss

REAL, FAKE = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [-3.0]], np.float32)


def cross_entropy(logits, label):
    probability = 1 / (1 + np.exp(-logits.astype(float)))
    return -np.mean(label * np.log(probability) + (1 - label) * np.log(1 - probability))


def test_d_pays_the_cross_entropy_and_g_that_of_the_other_label():
    loss = discriminator_loss("non_saturating", REAL, FAKE)
    assert float(loss) == pytest.approx(cross_entropy(REAL, 1) + cross_entropy(FAKE, 0), abs=1e-5)
    assert float(generator_loss("non_saturating", FAKE)) == pytest.approx(cross_entropy(FAKE, 1), abs=1e-5)


def test_smoothing_lowers_the_label_of_the_reals_alone():
    loss = discriminator_loss("non_saturating", REAL, FAKE, 0.1)
    assert float(loss) == pytest.approx(cross_entropy(REAL, 0.9) + cross_entropy(FAKE, 0), abs=1e-5)


def test_hinge_leaves_off_at_the_margin():
    assert float(discriminator_loss("hinge", REAL, FAKE)) == pytest.approx((0 + 2) / 2 + (1.5 + 0) / 2)
    assert float(generator_loss("hinge", FAKE)) == pytest.approx(1.25)


@pytest.mark.parametrize("name", ["non_saturating", "hinge"])
def test_far_logits_stay_finite(name):
    far = np.array([[1e4]], np.float32)
    assert np.isfinite([float(discriminator_loss(name, -far, far)), float(generator_loss(name, -far))]).all()
