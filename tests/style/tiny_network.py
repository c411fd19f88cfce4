"""A network of three layers with seeded weights: style transfer in seconds, where what a network has learned does not
matter."""

from functools import cache

import numpy as np

from pipeline.devices import keras
from pipeline.style.feature_maps import FeatureNetwork
from pipeline.style.style_networks import StyleNetwork

KNOWN = StyleNetwork(
    name="MobileNet",  # of which a card knows the remark
    layers=("first", "second", "third"),
    content={"third": 1.0},
    style={"first": 1.0, "second": 1.0, "third": 1.0},
    style_weight=30.0,
    variation_weight=0.05,
)


@cache
def tiny_network() -> FeatureNetwork:
    maps = inputs = keras.Input((None, None, 3))
    for number, name in enumerate(KNOWN.layers):
        stride = 1 + number % 2
        maps = keras.layers.Conv2D(8, 3, strides=stride, padding="same", activation="relu", name=name)(maps)
    model = keras.Model(inputs, maps)
    random = np.random.default_rng(5)
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return FeatureNetwork(known=KNOWN, digest="0" * 64, model=model, prepare=lambda pictures: 2 * pictures - 1)
