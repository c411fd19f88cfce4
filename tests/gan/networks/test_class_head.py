"""A generator draws the class that a latent chooses, and a discriminator judges a picture together with its class."""

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import build_generator
from pipeline.gan.networks.class_head import build_class_head
from tests.gan.step_runner import define

KINDS = {
    "batch norm": {},
    "residual": {"blocks": "residual"},
    "no norm": {"norm": "none", "initial": "he"},
    "spectral": {"weights": "spectral"},
}
SIZE, CLASSES = 6, 3
NOISE = np.random.default_rng(0).standard_normal((4, SIZE)).astype(np.float32)


def latents(classes, noise=NOISE):
    scores = np.random.default_rng(1).standard_normal((len(noise), CLASSES)).astype(np.float32)
    scores[np.arange(len(noise)), classes] = 5
    return np.concatenate([noise, scores], axis=1)


def generator(kind, **options):
    return build_generator(define({"generator": kind}), size=16, channels=3, seed=0, classes=CLASSES, **options)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_only_the_largest_of_the_last_numbers_counts(kind):
    network = generator(kind).whole
    assert network.input_shape == (None, SIZE + CLASSES)
    first, again, other = latents([0, 1, 2, 0]), latents([0, 1, 2, 0]), latents([1, 1, 2, 0])
    again[:, SIZE:] *= 2
    pictures = [np.asarray(network(each, training=False)) for each in (first, again, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0][0] - pictures[2][0]).max() > 1e-5
    assert np.array_equal(pictures[0][1:], pictures[2][1:])


@pytest.mark.parametrize("weights", ["free", "spectral", "weight"])
def test_the_norm_of_each_class_has_a_scale_and_a_shift_that_begin_alike(weights):
    made = generator({"weights": weights, "norm": "layer"})
    names = {layer.name for layer in made.whole.layers}
    assert {"norm_0_scale", "norm_0_shift", "norm_1_scale", "norm_1_shift"} <= names
    kernel = made.layers.get("norm_1_scale").kernel
    assert not np.any(kernel)
    if weights != "free":
        return
    before = np.asarray(made.whole(latents([0, 1, 2, 0]), training=False))
    scales = np.zeros(kernel.shape, np.float32)
    scales[1, 0] = 1  # the class 1 has another scale of channel 0
    kernel.assign(scales)
    after = np.asarray(made.whole(latents([0, 1, 2, 0]), training=False))
    assert [bool(np.any(before[number] != after[number])) for number in range(4)] == [False, True, False, False]


def test_a_generator_with_classes_is_of_layers_that_keras_alone_loads(tmp_path):
    made = generator({}, keras_only=True).whole
    made.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    given = latents([2, 0, 1, 1])
    assert np.array_equal(np.asarray(made(given)), np.asarray(loaded(given)))


def test_without_classes_nothing_changes():
    plain = build_generator(define(), size=16, channels=3, seed=0)
    assert plain.whole.input_shape == (None, SIZE)
    assert not any("scale" in layer.name for layer in plain.whole.layers)


def test_the_head_adds_the_scalar_product_of_features_and_the_vector_of_the_class():
    head = build_class_head(define(), features=5, classes=CLASSES, seed=0)
    features = np.random.default_rng(2).standard_normal((4, 5)).astype(np.float32)
    classes = np.array([2, 0, 1, 2])
    (vectors,) = head.variables
    expected = (np.asarray(vectors)[classes] * features).sum(axis=1, keepdims=True)
    found = head.logit(keras.ops.convert_to_tensor(features), np.eye(CLASSES, dtype=np.float32)[classes])
    assert np.allclose(found, expected, atol=1e-6)
