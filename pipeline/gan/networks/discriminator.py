"""The discriminator: strided convolutions (Radford et al. 2016) or residual blocks, and one logit."""

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.builder import (
    KERNEL,
    RELU_GAIN,
    GrowingNetwork,
    LayerFactory,
    NetworkBuilder,
    Tensor,
    self_attention,
)
from pipeline.gan.networks.decoder import COARSE, FINE
from pipeline.gan.networks.layers import MinibatchDiscrimination, MinibatchStddev
from pipeline.gan.networks.pyramid import pyramid

SLOPE = 0.2  # of the leaky ReLUs below zero


def build_discriminator(
    definition: Definition, *, size: int, channels: int, seed: int, dtype: str = "float32", keras_only: bool = False
) -> GrowingNetwork:
    """Build a discriminator: pictures (B, S, S, channels) in [-1, 1] to [logits (B, 1), features (B, F)], and with
    `reconstruction` the feature maps that are decoded, the coarse one first.

    A logit above 0 means real. With `multi_scale` its stage takes a tuple of pictures, one for each side from that of
    its coarsest map to S, and `whole` makes them of the full-size ones. A `keras_only` discriminator has Keras' own
    layers only, but for minibatch layers, and takes weights from `export`.
    """
    layers = LayerFactory(definition.discriminator, role="discriminator", seed=seed, dtype=dtype, keras_only=keras_only)
    builder = _DiscriminatorBuilder(
        definition=definition, resolutions=Resolutions.of(size), channels=channels, layers=layers
    )
    return builder.build_stages()


class _DiscriminatorBuilder(NetworkBuilder):
    """Builds the discriminator's stages."""

    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The model for pictures of `level`; while it is `fading` in, mixed with the input of the level below."""
        side = self.resolutions.picture_side(level)
        picture = keras.Input((side, side, self.channels), name="image")
        x = self._from_picture(picture, level)
        maps = {level: x}
        for step in range(level - 1, -1, -1):
            x = maps[step] = self._block(x, step)
            if fading and step == level - 1:
                half = keras.layers.AveragePooling2D(2, dtype="float32")(picture)
                x = maps[step] = self.layers.blend(self._from_picture(half, step), x, f"blend_{level}")
        return keras.Model(picture, self._outputs(maps), name="discriminator")

    def multi_scale(self) -> tuple[keras.Model, keras.Model]:
        """One logit of the pictures of all sides; the second model makes them of the picture at full size."""
        scales = self.resolutions.scales(self.definition)
        pictures = tuple(keras.Input((side, side, self.channels), name=f"image_{side}") for side in scales)
        whole = keras.Input((scales[-1], scales[-1], self.channels), name="image")
        joint = keras.Model(pictures, self._judged(pictures), name="discriminator")
        return joint, keras.Model(whole, self._judged(pyramid(whole, scales)), name="discriminator")

    def _judged(self, pictures: tuple[Tensor, ...]) -> list[Tensor]:
        """The logit, and the features, of a picture at all sides, each joined with the feature map of its side."""
        x = self._from_picture(pictures[-1], self.resolutions.levels - 1)
        maps = {}
        for level in reversed(range(self.resolutions.levels)):
            x = maps[level] = self._join(pictures[level], x, level)
            if level:
                x = self._block(x, level - 1)
        return self._outputs(maps)

    def _join(self, picture: Tensor, x: Tensor, level: int) -> Tensor:
        """Concatenation, then a 1x1 convolution: `phi_cat_lin` of Karnewar and Wang 2020, section 2.

        It lets picture and features interact at every side, also at the coarsest, after which there may be no other
        convolution; and the next layers keep their widths. No norm: it would remove the pictures' contrast.
        """
        x = keras.layers.Concatenate(dtype=self.layers.dtype)([picture, x])
        width, plain = self.resolutions.width(self.definition.discriminator, level), self._is_plain
        x = self.layers.conv(x, width, kernel=1, gain=RELU_GAIN if plain else 1.0, name=f"join_{level}")
        return self.layers.relu(x, SLOPE) if plain else x  # a residual block begins with its own

    @property
    def _is_plain(self) -> bool:
        return self.definition.discriminator.blocks == "plain"

    def _from_picture(self, picture: Tensor, level: int) -> Tensor:
        """From the picture to a feature map of half its side. No norm: it would remove the pictures' contrast."""
        layers, width = self.layers, self.resolutions.width(self.definition.discriminator, level)
        x = layers.conv(picture, width, kernel=KERNEL, stride=2, name=f"read_{level}")
        if self._is_plain:
            x = layers.relu(x, SLOPE)
        return self._with_attention(x, level)

    def _block(self, x: Tensor, level: int) -> Tensor:
        """Halve the side."""
        block = self._residual if self.definition.discriminator.blocks == "residual" else self._plain
        return self._with_attention(block(x, level), level)

    def _plain(self, x: Tensor, level: int) -> Tensor:
        network, layers = self.definition.discriminator, self.layers
        width, bias = self.resolutions.width(network, level), network.norm == "none"
        x = layers.conv(x, width, kernel=KERNEL, stride=2, bias=bias, name=f"down_{level}")
        return layers.relu(layers.norm(x, f"norm_{level}"), SLOPE)

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """ReLU, convolution, ReLU, strided convolution, plus a 1x1 shortcut (Miyato et al. 2018, figure 8)."""
        network, layers = self.definition.discriminator, self.layers
        width, bias = self.resolutions.width(network, level), network.norm == "none"
        residual = layers.relu(layers.norm(x, f"norm_{level}a"), SLOPE)
        residual = layers.conv(residual, x.shape[-1], bias=bias, name=f"conv_{level}")
        residual = layers.relu(layers.norm(residual, f"norm_{level}b"), SLOPE)
        residual = layers.conv(residual, width, kernel=KERNEL, stride=2, zero=bias, name=f"down_{level}")
        shortcut = keras.layers.AveragePooling2D(2, dtype=layers.dtype)(x)
        if shortcut.shape[-1] != width:
            shortcut = layers.conv(shortcut, width, kernel=1, bias=False, gain=1.0, name=f"straight_{level}")
        return keras.layers.Add(dtype=layers.dtype)([shortcut, residual])

    def _outputs(self, maps: dict[int, Tensor]) -> list[Tensor]:
        features = self._features(maps[0])
        decoded = [maps[level] for level in (COARSE, FINE) if level in maps and self._reconstructs]
        return [self.layers.dense(features, 1, gain=1.0, dtype="float32", name="logit"), features, *decoded]

    @property
    def _reconstructs(self) -> bool:
        return self.definition.discriminator.reconstruction > 0 and not self.layers.keras_only

    def _features(self, x: Tensor) -> Tensor:
        """The features (B, F) float32 from which the logit is computed."""
        layers, minibatch = self.layers, self.definition.discriminator.minibatch
        if self.definition.discriminator.blocks == "residual":
            x = layers.relu(x, SLOPE)
        if minibatch == "stddev":
            with_stddev = layers.get_or_make("stddev", lambda: MinibatchStddev(name="stddev", dtype=layers.dtype))(x)
            x = layers.relu(layers.conv(with_stddev, x.shape[-1], name="mix"), SLOPE)
        x = keras.layers.Flatten(name="flat", dtype="float32")(x)
        if minibatch == "discrimination":
            x = self._minibatch_features(x)
        return x

    def _minibatch_features(self, x: Tensor) -> Tensor:
        if existing := self.layers.get("nearness"):
            return existing(x)
        layer = self.layers.get_or_make("nearness", lambda: MinibatchDiscrimination(name="nearness", dtype="float32"))
        y = layer(x)
        self.layers.init_kernel(layer, fan_in=x.shape[-1], gain=1.0)
        return y

    def _with_attention(self, x: Tensor, level: int) -> Tensor:
        if self.resolutions.map_side(level) not in self.definition.discriminator.attention:
            return x
        return self_attention(self.layers, x, name=f"attention_{level}")
