"""A transposed convolution is the same, whichever way a backend computes it."""

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import layers
from pipeline.gan.networks.layers import ConvTranspose, double_side


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
