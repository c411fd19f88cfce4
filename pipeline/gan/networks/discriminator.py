"""The discriminator: strided convolutions (Radford et al. 2016), or residual blocks, down to one logit."""

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.builder import KERNEL, GrowingNetwork, LayerFactory, NetworkBuilder, Tensor, attend
from pipeline.gan.networks.layers import MinibatchDiscrimination, MinibatchStddev

SLOPE = 0.2  # of the leaky ReLUs


def build_discriminator(
    definition: Definition, *, size: int, channels: int, seed: int, dtype: str = "float32", plain: bool = False
) -> GrowingNetwork:
    """From pictures (B, S, S, channels) in [-1, 1] to [logits (B, 1), features (B, F)]; real above 0.

    A `plain` one is of layers that Keras has itself, but for minibatch layers, for weights that come from elsewhere.
    """
    layers = LayerFactory(definition.discriminator, role="discriminator", seed=seed, dtype=dtype, plain=plain)
    draft = _Draft(definition=definition, sides=Resolutions.of(size), channels=channels, layers=layers)
    return draft.staged()


class _Draft(NetworkBuilder):
    """Draws the discriminator."""

    def model(self, level: int, *, fading: bool) -> keras.Model:
        """From the picture of `level`; while it is fading in, mixed with how the level below reads it."""
        side = self.sides.picture(level)
        picture = keras.Input((side, side, self.channels), name="image")
        x = self._read(picture, level)
        for step in range(level - 1, -1, -1):
            x = self._block(x, step)
            if fading and step == level - 1:
                half = keras.layers.AveragePooling2D(2, dtype="float32")(picture)
                x = self.layers.blend(self._read(half, step), x, f"blend_{level}")
        features = self._features(x)
        logit = self.layers.dense(features, 1, gain=1.0, dtype="float32", name="logit")
        return keras.Model(picture, [logit, features], name="discriminator")

    def _read(self, picture: Tensor, level: int) -> Tensor:
        """Into the feature map of half the side. No norm: it would hide the pictures' contrast."""
        layers, width = self.layers, self.sides.width(self.definition.discriminator, level)
        x = layers.conv(picture, width, kernel=KERNEL, stride=2, name=f"read_{level}")
        if self.definition.discriminator.blocks == "plain":
            x = layers.relu(x, SLOPE)
        return self._attended(x, level)

    def _block(self, x: Tensor, level: int) -> Tensor:
        """Half the side."""
        block = self._residual if self.definition.discriminator.blocks == "residual" else self._plain
        return self._attended(block(x, level), level)

    def _plain(self, x: Tensor, level: int) -> Tensor:
        network, layers = self.definition.discriminator, self.layers
        width, bias = self.sides.width(network, level), network.norm == "none"
        x = layers.conv(x, width, kernel=KERNEL, stride=2, bias=bias, name=f"down_{level}")
        return layers.relu(layers.norm(x, f"norm_{level}"), SLOPE)

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """ReLU, convolution, ReLU, convolution down, beside a 1x1 shortcut (Miyato et al. 2018, figure 8)."""
        network, layers = self.definition.discriminator, self.layers
        width, bias = self.sides.width(network, level), network.norm == "none"
        change = layers.relu(layers.norm(x, f"norm_{level}a"), SLOPE)
        change = layers.conv(change, x.shape[-1], bias=bias, name=f"conv_{level}")
        change = layers.relu(layers.norm(change, f"norm_{level}b"), SLOPE)
        change = layers.conv(change, width, kernel=KERNEL, stride=2, zero=bias, name=f"down_{level}")
        straight = keras.layers.AveragePooling2D(2, dtype=layers.dtype)(x)
        if straight.shape[-1] != width:
            straight = layers.conv(straight, width, kernel=1, bias=False, gain=1.0, name=f"straight_{level}")
        return keras.layers.Add(dtype=layers.dtype)([straight, change])

    def _features(self, x: Tensor) -> Tensor:
        """What the logit is read from, float32."""
        layers, minibatch = self.layers, self.definition.discriminator.minibatch
        if self.definition.discriminator.blocks == "residual":
            x = layers.relu(x, SLOPE)
        if minibatch == "stddev":
            spread = layers.find("stddev", lambda: MinibatchStddev(name="stddev", dtype=layers.dtype))(x)
            x = layers.relu(layers.conv(spread, x.shape[-1], name="mix"), SLOPE)
        x = keras.layers.Flatten(name="flat", dtype="float32")(x)
        if minibatch == "discrimination":
            x = self._nearness(x)
        return x

    def _nearness(self, x: Tensor) -> Tensor:
        if known := self.layers.known("nearness"):
            return known(x)
        layer = self.layers.find("nearness", lambda: MinibatchDiscrimination(name="nearness", dtype="float32"))
        y = layer(x)
        self.layers.begin(layer, fan=x.shape[-1], gain=1.0)
        return y

    def _attended(self, x: Tensor, level: int) -> Tensor:
        if self.sides.map(level) not in self.definition.discriminator.attention:
            return x
        return attend(self.layers, x, name=f"attention_{level}")
