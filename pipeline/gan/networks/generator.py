"""The generator: resizing and convolutions, transposed convolutions (DCGAN, Radford et al. 2016) or residual blocks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import SKIPPED_LEVELS, Resolutions
from pipeline.gan.networks.builder import GrowingNetwork, LayerFactory, NetworkBuilder, Tensor, self_attention


def build_generator(
    definition: Definition,
    *,
    size: int,
    channels: int,
    seed: int,
    classes: int = 0,
    dtype: str = "float32",
    keras_only: bool = False,
) -> GrowingNetwork:
    """Build a generator: latents (B, latent) to pictures (B, S, S, channels) in [-1, 1].

    With `classes` latents are (B, latent + classes): the largest of the last numbers is that of the sample's class, so
    that standard normal latents give every class as often. With `multi_scale` its stage gives a tuple of pictures, one
    for each side from the coarsest map to S.

    The initial weights depend on `seed`. A `keras_only` generator has Keras' own layers only and takes weights from
    `export`.
    """
    layers = LayerFactory(definition.generator, role="generator", seed=seed, dtype=dtype, keras_only=keras_only)
    builder = _GeneratorBuilder(
        definition=definition, resolutions=Resolutions.of(size), channels=channels, layers=layers, classes=classes
    )
    return builder.build_stages()


@dataclass(frozen=True, kw_only=True)
class _GeneratorBuilder(NetworkBuilder):
    """Builds the stages of the generator; `chosen` (B, classes) is the class of each sample, one-hot."""

    classes: int = 0
    chosen: Tensor | None = None

    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The model for pictures of `level`; while it is `fading` in, mixed with the picture of the level below."""
        latents, noise, builder = self._begin()
        maps = [*builder._maps(noise, level)]
        picture = builder._picture(maps[level], level)
        if fading:
            old = keras.layers.UpSampling2D(dtype="float32")(builder._picture(maps[level - 1], level - 1))
            picture = self.layers.blend(old, picture, f"blend_{level}", dtype="float32")
        return keras.Model(latents, picture, name="generator")

    def multi_scale(self) -> tuple[keras.Model, keras.Model]:
        """A picture from the feature map of every side up to the full size (Karnewar and Wang 2020, section 2)."""
        latents, noise, builder = self._begin()
        maps = builder._maps(noise, self.resolutions.levels)
        pictures = [builder._picture(x, level) for level, x in enumerate(maps)]
        joint = keras.Model(latents, tuple(pictures), name="generator")
        return joint, keras.Model(latents, pictures[-1], name="generator")

    def _begin(self) -> tuple[Tensor, Tensor, "_GeneratorBuilder"]:
        """The input, what the first layer projects, and the builder for a model of this input."""
        size, classes = self.definition.latent, self.classes
        latents = keras.Input((size + classes,), name="latent")
        if not classes:
            return latents, latents, self
        column = keras.layers.Reshape((size + classes, 1), name="latent_column", dtype="float32")(latents)
        noise, scores = (
            keras.layers.Flatten(dtype="float32")(keras.layers.Cropping1D(cropped, dtype="float32")(column))
            for cropped in ((0, classes), (size, 0))
        )
        # Not argmax: on TensorFlow it has an operation that ONNX lacks
        chosen = keras.ops.one_hot(keras.ops.top_k(scores, 1)[1][:, 0], classes)
        projected = keras.layers.Concatenate(name="latent_and_class", dtype="float32")([noise, chosen])
        return latents, projected, replace(self, chosen=chosen)

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
            x = layers.relu(self._norm(x, "norm_0"))
        return self._with_attention(x, 0)

    def _block(self, x: Tensor, level: int) -> Tensor:
        """Double the side."""
        block = self._residual if self.definition.generator.blocks == "residual" else self._plain
        return self._with_attention(block(x, level), level)

    def _plain(self, x: Tensor, level: int) -> Tensor:
        network, layers = self.definition.generator, self.layers
        x = self._upsample(x, self.resolutions.width(network, level), bias=network.norm == "none", name=f"up_{level}")
        return layers.relu(self._norm(x, f"norm_{level}"))

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """Norm, ReLU, upsampling, norm, ReLU, convolution, plus a 1x1 shortcut (Miyato et al. 2018, figure 8)."""
        layers, width = self.layers, self.resolutions.width(self.definition.generator, level)
        residual = layers.relu(self._norm(x, f"norm_{level}a"))
        residual = self._upsample(residual, width, bias=self.definition.generator.norm == "none", name=f"up_{level}")
        residual = layers.relu(self._norm(residual, f"norm_{level}b"))
        # Without a norm the block starts as the shortcut alone, so that the sum does not grow from block to block
        residual = layers.conv(residual, width, zero=self.definition.generator.norm == "none", name=f"conv_{level}")
        shortcut = keras.layers.UpSampling2D(dtype=layers.dtype)(x)
        if shortcut.shape[-1] != width:
            shortcut = layers.conv(shortcut, width, kernel=1, bias=False, gain=1.0, name=f"straight_{level}")
        return keras.layers.Add(dtype=layers.dtype)([shortcut, residual])

    def _picture(self, x: Tensor, level: int) -> Tensor:
        """The picture, float32 in [-1, 1], of twice the side of `x`; with `multi_scale` of its side."""
        if self.definition.generator.blocks == "residual":
            x = self.layers.relu(self._norm(x, f"norm_image_{level}"))
        if self.definition.multi_scale:
            x = self.layers.conv(x, self.channels, kernel=1, gain=1.0, name=f"head_{level}")
        else:
            x = self._upsample(x, self.channels, bias=True, gain=1.0, name=f"image_{level}")
        return keras.layers.Activation("tanh", dtype="float32")(x)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        """`x` with the network's norm; each class has a scale and a shift of its own (de Vries et al. 2017, section 3),
        which begin alike."""
        y = self.layers.norm(x, name)
        if self.chosen is None or self.definition.generator.norm == "none":
            return y
        dtype, width = self.layers.dtype, x.shape[-1]
        scale, shift = (
            keras.layers.Reshape((1, 1, width), dtype=dtype)(
                self.layers.dense(self.chosen, width, bias=False, gated=True, name=f"{name}_{part}")
            )
            for part in ("scale", "shift")
        )
        return keras.layers.Add(dtype=dtype)([y, keras.layers.Multiply(dtype=dtype)([y, scale]), shift])

    def _upsample(self, x: Tensor, width: int, *, name: str, bias: bool, gain: float = math.sqrt(2.0)) -> Tensor:
        if self.definition.generator.upsample == "transposed":
            return self.layers.conv_transpose(x, width, bias=bias, gain=gain, name=name)
        return self.layers.resize_conv(x, width, bias=bias, gain=gain, name=name)

    def _with_attention(self, x: Tensor, level: int) -> Tensor:
        # None at full size, of which only a multi-scale generator has a map: it would take most of the time and memory
        is_full = level == self.resolutions.levels
        if is_full or self.resolutions.map_side(level) not in self.definition.generator.attention:
            return x
        return self_attention(self.layers, x, name=f"attention_{level}")
