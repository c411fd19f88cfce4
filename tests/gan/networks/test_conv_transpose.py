"""A transposed convolution is the same, whichever way a backend computes it; and so is one after resizing."""

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import layers
from pipeline.gan.networks.layers import Bounded, ConvTranspose, ResizeConv, double_side


@pytest.fixture
def by_product(monkeypatch):
    monkeypatch.setattr(layers, "_has_slow_transposed", lambda: True)


@pytest.mark.parametrize("shape", [(3, 4, 4, 5), (2, 7, 7, 1), (1, 1, 1, 2)])
def test_a_product_and_a_sum_are_a_transposed_convolution(by_product, shape):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    kernel = random.standard_normal((4, 4, 6, shape[-1])).astype(np.float32)
    expected = keras.ops.conv_transpose(x, kernel, strides=2, padding="same")
    found = double_side(keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(kernel))
    assert np.allclose(found, expected, atol=1e-5)


def test_the_layer_is_that_of_keras(by_product):
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 3)).astype(np.float32)
    own, plain = (
        make(7, 4, strides=2, padding="same", bias_initializer="ones")
        for make in (ConvTranspose, keras.layers.Conv2DTranspose)
    )
    plain.build(x.shape)
    own.build(x.shape)
    own.set_weights(plain.get_weights())
    assert np.allclose(own(x), plain(x), atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 2)])
def test_a_convolution_after_resizing_is_one_transposed_convolution(shape):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    resized, plain = keras.layers.UpSampling2D()(x), keras.layers.Conv2D(4, 3, padding="same")
    plain.build(resized.shape)
    weights = [random.standard_normal(weight.shape) for weight in plain.get_weights()]
    plain.set_weights(weights)
    own = ResizeConv(4, 3, padding="same")
    own.build(x.shape)
    own.set_weights(weights)
    assert own.compute_output_shape(shape) == plain(resized).shape
    assert np.allclose(own(x), plain(resized), atol=1e-5)


def test_a_normalised_convolution_after_resizing_is_that_of_its_normalised_kernel():
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 4, 4, 3)).astype(np.float32)
    options = {"rule": "spectral", "kernel_size": 3, "strides": 1, "use_bias": True}
    own = Bounded("resize", 5, **options, kernel_initializer="random_normal")
    own.build(x.shape)
    own.init_norms()
    expected = keras.ops.conv(keras.layers.UpSampling2D()(x), own.kernel, padding="same")
    assert own.compute_output_shape(x.shape) == expected.shape
    assert np.allclose(own(x), expected, atol=1e-5)
