"""The generator: DCGAN (Radford et al. 2016), or residual blocks, from latents up to the picture's side."""

import math

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.builder import KERNEL, GrowingNetwork, LayerFactory, NetworkBuilder, Tensor, attend


def build_generator(
    definition: Definition, *, size: int, channels: int, seed: int, dtype: str = "float32", plain: bool = False
) -> GrowingNetwork:
    """From latents (B, latent) to pictures (B, S, S, channels) in [-1, 1]; the weights follow from `seed`.

    A `plain` one is of layers that Keras has itself, for weights that come from elsewhere.
    """
    layers = LayerFactory(definition.generator, role="generator", seed=seed, dtype=dtype, plain=plain)
    draft = _Draft(definition=definition, sides=Resolutions.of(size), channels=channels, layers=layers)
    return draft.staged()


class _Draft(NetworkBuilder):
    """Draws the generator."""

    def model(self, level: int, *, fading: bool) -> keras.Model:
        """Up to the picture of `level`; while it is fading in, mixed with the one of the level below."""
        latents = keras.Input((self.definition.latent,), name="latent")
        below = x = self._coarsest(latents)
        for step in range(1, level + 1):
            below, x = x, self._block(x, step)
        picture = self._picture(x, level)
        if fading:
            old = keras.layers.UpSampling2D(dtype="float32")(self._picture(below, level - 1))
            picture = self.layers.blend(old, picture, f"blend_{level}", dtype="float32")
        return keras.Model(latents, picture, name="generator")

    def _coarsest(self, latents: Tensor) -> Tensor:
        network, layers, side = self.definition.generator, self.layers, self.sides.map(0)
        shape = (side, side, self.sides.width(network, 0))
        x = layers.dense(latents, math.prod(shape), bias=network.norm == "none", name="project")
        x = keras.layers.Reshape(shape, name="square", dtype=layers.dtype)(x)
        if network.blocks == "plain":
            x = layers.relu(layers.norm(x, "norm_0"))
        return self._attended(x, 0)

    def _block(self, x: Tensor, level: int) -> Tensor:
        """Twice the side."""
        block = self._residual if self.definition.generator.blocks == "residual" else self._plain
        return self._attended(block(x, level), level)

    def _plain(self, x: Tensor, level: int) -> Tensor:
        network, layers = self.definition.generator, self.layers
        x = self._doubled(x, self.sides.width(network, level), bias=network.norm == "none", name=f"up_{level}")
        return layers.relu(layers.norm(x, f"norm_{level}"))

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """Norm, ReLU, up, norm, ReLU, convolution, beside a 1x1 shortcut (Miyato et al. 2018, figure 8)."""
        layers, width = self.layers, self.sides.width(self.definition.generator, level)
        change = layers.relu(layers.norm(x, f"norm_{level}a"))
        change = self._doubled(change, width, bias=self.definition.generator.norm == "none", name=f"up_{level}")
        change = layers.relu(layers.norm(change, f"norm_{level}b"))
        # Without a norm it starts as the shortcut alone, lest the sum grow from block to block
        change = layers.conv(change, width, zero=self.definition.generator.norm == "none", name=f"conv_{level}")
        straight = keras.layers.UpSampling2D(dtype=layers.dtype)(x)
        if straight.shape[-1] != width:
            straight = layers.conv(straight, width, kernel=1, bias=False, gain=1.0, name=f"straight_{level}")
        return keras.layers.Add(dtype=layers.dtype)([straight, change])

    def _picture(self, x: Tensor, level: int) -> Tensor:
        """The picture of twice the side of `x`, float32."""
        if self.definition.generator.blocks == "residual":
            x = self.layers.relu(self.layers.norm(x, f"norm_image_{level}"))
        x = self._doubled(x, self.channels, bias=True, gain=1.0, name=f"image_{level}")
        return keras.layers.Activation("tanh", dtype="float32")(x)

    def _doubled(self, x: Tensor, width: int, *, name: str, bias: bool, gain: float = math.sqrt(2.0)) -> Tensor:
        if self.definition.generator.upsample == "transposed":
            return self.layers.up(x, width, bias=bias, gain=gain, name=name)
        x = keras.layers.UpSampling2D(dtype=self.layers.dtype)(x)
        return self.layers.conv(x, width, kernel=KERNEL - 1, bias=bias, gain=gain, name=name)

    def _attended(self, x: Tensor, level: int) -> Tensor:
        if self.sides.map(level) not in self.definition.generator.attention:
            return x
        return attend(self.layers, x, name=f"attention_{level}")
