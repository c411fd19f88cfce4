"""A network converted to TensorFlow Lite computes what the network computes, whatever the number of pictures."""

import warnings

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.lite_network import BATCH, LiteNetwork, convert

SIDE = 16


@pytest.fixture(scope="module")
def network() -> keras.Model:
    pictures = keras.Input((SIDE, SIDE, 3))
    maps = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(pictures)
    return keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 1)(maps)))


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(BATCH, SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH])
def test_outputs_are_those_of_the_network(network: keras.Model, pictures: np.ndarray, count: int) -> None:
    converted = convert(lambda each: {"features": network(each, training=False)}, side=SIDE)

    (found,) = converted(pictures[:count])

    assert found.shape == (count, 5)
    np.testing.assert_allclose(found, network.predict_on_batch(pictures[:count]), rtol=1e-4, atol=1e-5)


def test_outputs_come_by_name(network: keras.Model, pictures: np.ndarray) -> None:
    def outputs(each: object) -> dict[str, object]:
        found = network(each, training=False)
        return {"second": -found, "first": found}

    first, second = convert(outputs, side=SIDE)(pictures)

    np.testing.assert_allclose(first, -second)
    assert np.abs(first).max() > 0


def test_quantised_outputs_are_close(network: keras.Model, pictures: np.ndarray) -> None:
    def outputs(each: object) -> dict[str, object]:
        return {"features": network(each, training=False)}

    exact, quantised = convert(outputs, side=SIDE), convert(outputs, side=SIDE, calibration=pictures)

    difference = np.abs(exact(pictures)[0] - quantised(pictures)[0])
    assert 0 < difference.max() < 0.1


def test_a_converted_network_warns_of_nothing(network: keras.Model, pictures: np.ndarray) -> None:
    converted = convert(lambda each: {"features": network(each, training=False)}, side=SIDE)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted(pictures)


def test_a_file_of_something_else_is_refused(pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match="odel"):
        LiteNetwork(b"no network", side=SIDE)(pictures)
