"""The generator: transposed convolutions (DCGAN, Radford et al. 2016) or residual blocks, from latents to pictures."""

import math
from collections.abc import Iterator

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import SKIPPED_LEVELS, Resolutions
from pipeline.gan.networks.builder import KERNEL, GrowingNetwork, LayerFactory, NetworkBuilder, Tensor, self_attention


def build_generator(
    definition: Definition, *, size: int, channels: int, seed: int, dtype: str = "float32", keras_only: bool = False
) -> GrowingNetwork:
    """Build a generator: latents (B, latent) to pictures (B, S, S, channels) in [-1, 1].

    With `multi_scale` its stage gives a tuple of pictures, one for each side from the coarsest map to S.

    The initial weights depend on `seed`. A `keras_only` generator has Keras' own layers only and takes weights from
    `export`.
    """
    layers = LayerFactory(definition.generator, role="generator", seed=seed, dtype=dtype, keras_only=keras_only)
    builder = _GeneratorBuilder(
        definition=definition, resolutions=Resolutions.of(size), channels=channels, layers=layers
    )
    return builder.build_stages()


class _GeneratorBuilder(NetworkBuilder):
    """Builds the generator's stages."""

    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The model for pictures of `level`; while it is `fading` in, mixed with the picture of the level below."""
        latents = keras.Input((self.definition.latent,), name="latent")
        maps = [*self._maps(latents, level)]
        picture = self._picture(maps[level], level)
        if fading:
            old = keras.layers.UpSampling2D(dtype="float32")(self._picture(maps[level - 1], level - 1))
            picture = self.layers.blend(old, picture, f"blend_{level}", dtype="float32")
        return keras.Model(latents, picture, name="generator")

    def multi_scale(self) -> tuple[keras.Model, keras.Model]:
        """A picture from the feature map of every side up to the full size (Karnewar and Wang 2020, section 2)."""
        latents = keras.Input((self.definition.latent,), name="latent")
        pictures = [self._picture(x, level) for level, x in enumerate(self._maps(latents, self.resolutions.levels))]
        joint = keras.Model(latents, tuple(pictures), name="generator")
        return joint, keras.Model(latents, pictures[-1], name="generator")

    def _maps(self, latents: Tensor, last: int) -> Iterator[Tensor]:
        """The feature maps of the levels up to `last`, the coarsest first; each is built when it is asked for."""
        maps = [self._project(latents)]
        yield maps[0]
        for level in range(1, last + 1):
            x = self._block(maps[-1], level)
            if self.definition.generator.skip_excitation and level >= SKIPPED_LEVELS:
                x = self._excited(x, maps[level - SKIPPED_LEVELS], level)
            maps.append(x)
            yield x

    def _excited(self, x: Tensor, coarse: Tensor, level: int) -> Tensor:
        """`x` with its channels weighted by the `coarse` map: skip-layer excitation (Liu et al. 2021, equation 1)."""
        layers, width, cell = self.layers, x.shape[-1], self.resolutions.map_side(0)
        pooled = keras.layers.AveragePooling2D(coarse.shape[1] // cell, dtype=layers.dtype)(coarse)
        y = keras.layers.Flatten(dtype=layers.dtype)(pooled)  # a convolution over all of it follows
        y = layers.dense(y, width, bias=False, name=f"excite_{level}a")
        y = keras.layers.Activation("silu", dtype=layers.dtype)(y)
        y = layers.dense(y, width, bias=False, gain=1.0, name=f"excite_{level}b")
        share = keras.layers.Activation("sigmoid", dtype=layers.dtype)(y)
        share = keras.layers.Reshape((1, 1, width), dtype=layers.dtype)(share)
        return keras.layers.Multiply(dtype=layers.dtype)([x, share])

    def _project(self, latents: Tensor) -> Tensor:
        network, layers, side = self.definition.generator, self.layers, self.resolutions.map_side(0)
        shape = (side, side, self.resolutions.width(network, 0))
        x = layers.dense(latents, math.prod(shape), bias=network.norm == "none", name="project")
        x = keras.layers.Reshape(shape, name="square", dtype=layers.dtype)(x)
        if network.blocks == "plain":
            x = layers.relu(layers.norm(x, "norm_0"))
        return self._with_attention(x, 0)

    def _block(self, x: Tensor, level: int) -> Tensor:
        """Double the side."""
        block = self._residual if self.definition.generator.blocks == "residual" else self._plain
        return self._with_attention(block(x, level), level)

    def _plain(self, x: Tensor, level: int) -> Tensor:
        network, layers = self.definition.generator, self.layers
        x = self._upsample(x, self.resolutions.width(network, level), bias=network.norm == "none", name=f"up_{level}")
        return layers.relu(layers.norm(x, f"norm_{level}"))

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """Norm, ReLU, upsampling, norm, ReLU, convolution, plus a 1x1 shortcut (Miyato et al. 2018, figure 8)."""
        layers, width = self.layers, self.resolutions.width(self.definition.generator, level)
        residual = layers.relu(layers.norm(x, f"norm_{level}a"))
        residual = self._upsample(residual, width, bias=self.definition.generator.norm == "none", name=f"up_{level}")
        residual = layers.relu(layers.norm(residual, f"norm_{level}b"))
        # Without a norm the block starts as the shortcut alone, so that the sum does not grow from block to block
        residual = layers.conv(residual, width, zero=self.definition.generator.norm == "none", name=f"conv_{level}")
        shortcut = keras.layers.UpSampling2D(dtype=layers.dtype)(x)
        if shortcut.shape[-1] != width:
            shortcut = layers.conv(shortcut, width, kernel=1, bias=False, gain=1.0, name=f"straight_{level}")
        return keras.layers.Add(dtype=layers.dtype)([shortcut, residual])

    def _picture(self, x: Tensor, level: int) -> Tensor:
        """The picture, float32 in [-1, 1], of twice the side of `x`; with `multi_scale` of its side."""
        if self.definition.generator.blocks == "residual":
            x = self.layers.relu(self.layers.norm(x, f"norm_image_{level}"))
        if self.definition.multi_scale:
            x = self.layers.conv(x, self.channels, kernel=1, gain=1.0, name=f"head_{level}")
        else:
            x = self._upsample(x, self.channels, bias=True, gain=1.0, name=f"image_{level}")
        return keras.layers.Activation("tanh", dtype="float32")(x)

    def _upsample(self, x: Tensor, width: int, *, name: str, bias: bool, gain: float = math.sqrt(2.0)) -> Tensor:
        if self.definition.generator.upsample == "transposed":
            return self.layers.conv_transpose(x, width, bias=bias, gain=gain, name=name)
        x = keras.layers.UpSampling2D(dtype=self.layers.dtype)(x)
        return self.layers.conv(x, width, kernel=KERNEL - 1, bias=bias, gain=gain, name=name)

    def _with_attention(self, x: Tensor, level: int) -> Tensor:
        # None at full size, of which only a multi-scale generator has a map: it would take most of the time and memory
        is_full = level == self.resolutions.levels
        if is_full or self.resolutions.map_side(level) not in self.definition.generator.attention:
            return x
        return self_attention(self.layers, x, name=f"attention_{level}")
