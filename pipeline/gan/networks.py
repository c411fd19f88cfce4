"""The two networks as Keras models: DCGAN (Radford et al. 2016), 4x4 convolutions of stride 2 all the way."""

import math

import numpy as np

from pipeline.gan.definition import Definition, Network
from pipeline.gan.runtime import keras
from pipeline.gan.sizes import check_size, halvings

KERNEL = 4  # a multiple of the stride: no checkerboard (Odena et al. 2016)
# Keras' own 0.99 remembers a hundred steps: in a short run the statistics would lag behind the weights they belong to
MOMENTUM = 0.9
EPSILON = 1e-5


def build_generator(definition: Definition, *, size: int, channels: int, seed: int) -> keras.Model:
    """From latents (B, latent) to images (B, size, size, channels) in [-1, 1]; the weights follow from `seed`."""
    check_size(size)
    network, widths = definition.generator, _widths(definition.generator, size)[::-1]
    side, draw = size >> len(widths), _Kernels("generator", seed)
    latents = keras.Input((definition.latent,), name="latent")
    coarsest = (side, side, widths[0])
    project = keras.layers.Dense(math.prod(coarsest), use_bias=False, kernel_initializer=draw(), name="project")
    x = keras.layers.Reshape(coarsest, name="square")(project(latents))
    x = keras.layers.ReLU(name="relu_0")(_norm(network, x, 0))
    for index, width in enumerate(widths[1:], start=1):
        x = _up(width, draw(), f"up_{index}", use_bias=network.norm == "none")(x)  # twice the side
        x = keras.layers.ReLU(name=f"relu_{index}")(_norm(network, x, index))
    image = _up(channels, draw(), "image", activation="tanh")(x)
    return keras.Model(latents, image, name="generator")


def build_discriminator(definition: Definition, *, size: int, channels: int, seed: int) -> keras.Model:
    """From images (B, size, size, channels) in [-1, 1] to logits (B, 1), real above 0."""
    check_size(size)
    network, draw = definition.discriminator, _Kernels("discriminator", seed)
    images = x = keras.Input((size, size, channels), name="image")
    for index, width in enumerate(_widths(network, size)):
        plain = index == 0 or network.norm == "none"  # the first layer has no norm: it would hide the images' contrast
        x = _down(width, draw(), f"down_{index}", use_bias=plain)(x)  # half the side
        x = x if index == 0 else _norm(network, x, index)
        x = keras.layers.LeakyReLU(negative_slope=0.2, name=f"leaky_{index}")(x)
    flat = keras.layers.Flatten(name="flat")(x)
    logit = keras.layers.Dense(1, kernel_initializer=draw(), dtype="float32", name="logit")(flat)
    return keras.Model(images, logit, name="discriminator")


def _widths(network: Network, size: int) -> list[int]:
    """Channels at size/2, size/4, ... down to the coarsest side."""
    return [min(network.width << index, network.max_width) for index in range(halvings(size))]


class _Kernels:
    """Hands each layer in turn an initializer with a seed of its own: N(0, 0.02), as DCGAN has it."""

    def __init__(self, network: str, seed: int) -> None:
        self._seeds = iter(np.random.SeedSequence((seed, *network.encode())).generate_state(64))

    def __call__(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=0.02, seed=int(next(self._seeds) >> 1))


def _up(width: int, kernel: keras.initializers.Initializer, name: str, **options: object) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        width, KERNEL, strides=2, padding="same", kernel_initializer=kernel, name=name, **options
    )


def _down(width: int, kernel: keras.initializers.Initializer, name: str, use_bias: bool) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        width, KERNEL, strides=2, padding="same", kernel_initializer=kernel, use_bias=use_bias, name=name
    )


def _norm(network: Network, x: keras.KerasTensor, index: int) -> keras.KerasTensor:
    if network.norm == "none":
        return x
    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"norm_{index}")(x)
