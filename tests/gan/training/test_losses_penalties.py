import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import build_discriminator
from pipeline.gan.training.backend_tensorflow import TapeAutodiff
from pipeline.gan.training.losses import between, lecam, one_centred, zero_centred
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import define

tf = pytest.importorskip("tensorflow")
ops = keras.ops

SLOPES = np.random.default_rng(1).standard_normal((5, 4, 4, 3)).astype(np.float32)
LENGTHS = np.sqrt((SLOPES.astype(float) ** 2).sum(axis=(1, 2, 3)))


def test_r1_and_r2_are_half_the_mean_squared_slope():
    assert float(zero_centred(SLOPES)) == pytest.approx((LENGTHS**2).mean() / 2, rel=1e-5)


def test_lecam_is_what_logits_have_beyond_the_mean_of_the_other_side():
    real, fake, means = np.float32([[2], [-1], [0.3]]), np.float32([[0.5], [-3], [-0.2]]), np.float32([0.8, -0.4])
    expected = np.maximum(0, real + 0.4) ** 2, np.maximum(0, 0.8 - fake) ** 2
    assert float(lecam(real, fake, means)) == pytest.approx(sum(each.mean() for each in expected), rel=1e-5)
    assert float(lecam(real + 7, fake + 7, means + 7)) == pytest.approx(float(lecam(real, fake, means)), rel=1e-4)


def test_gradient_penalty_is_the_squared_distance_of_slopes_from_1():
    assert float(one_centred(SLOPES)) == pytest.approx(((LENGTHS - 1) ** 2).mean(), rel=1e-5)
    unit = (SLOPES / LENGTHS[:, None, None, None]).astype(np.float32)
    assert float(one_centred(unit)) == pytest.approx(0, abs=1e-6)


def test_gradient_penalty_of_a_flat_d_has_a_finite_gradient():
    flat = tf.zeros((2, 4, 4, 3))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        penalty = one_centred(flat)
    assert float(penalty) == pytest.approx(1, abs=1e-4)
    assert np.isfinite(tape.gradient(penalty, flat)).all()


def test_between_interpolates_from_fakes_to_reals():
    reals, fakes = np.ones((3, 2, 2, 1), np.float32), np.zeros((3, 2, 2, 1), np.float32)
    mixed = np.asarray(between(reals, fakes, np.array([0.0, 0.25, 1.0], np.float32)))
    assert mixed[:, 0, 0, 0].tolist() == [0, 0.25, 1]


def test_slope_equals_the_numerical_derivative():
    definition = define({"discriminator": {"norm": "layer", "initial": "he"}})
    network = build_discriminator(definition, size=16, channels=3, seed=0).whole
    pictures = draw_discs(3).astype(np.float32) / 127.5 - 1
    slopes = np.asarray(TapeAutodiff().per_example_gradients(lambda x: network(x)[0], tf.constant(pictures)))
    direction = np.random.default_rng(2).standard_normal(pictures.shape).astype(np.float32)
    up, down = (np.asarray(network(pictures + step * direction)[0], float) for step in (1e-3, -1e-3))
    assert np.allclose((slopes * direction).sum(axis=(1, 2, 3)), (up - down)[:, 0] / 2e-3, rtol=0.02, atol=0.02)


def test_penalty_can_be_differentiated_by_the_weights():
    """For a network whose logit is the sum of w x^2 the slope is 2 w x, and R1 is half the mean of its square."""
    w, x = keras.Variable(np.float32(1.5)), tf.constant(SLOPES)
    autodiff = TapeAutodiff()

    def penalty():
        slopes = autodiff.per_example_gradients(lambda x: ops.sum(w * x**2, axis=(1, 2, 3))[:, None], x)
        return zero_centred(slopes), slopes

    slopes, (by_w,) = autodiff.variable_gradients(penalty, [w])
    assert np.allclose(slopes, 3 * SLOPES, rtol=1e-5)
    assert float(by_w) == pytest.approx(4 * 1.5 * (LENGTHS**2).mean(), rel=1e-5)
