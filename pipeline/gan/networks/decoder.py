"""The decoders that reconstruct reals from the discriminator's feature maps (FastGAN, Liu et al. 2021, section 3.2).

A discriminator that has to reconstruct what it sees keeps more of it in its features than it needs to tell a few
hundred reals from fakes. The coarse map (8 to 14 px) gives the whole picture, a quadrant of the fine map (16 to 28 px)
that quadrant of the picture; both up to four times as wide as the map that is decoded. The authors compare by LPIPS,
whose weights would be part of every training; here it is the mean squared error.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.builder import LayerFactory, LayerOwner

COARSE, FINE = 1, 2  # levels of the maps
DOUBLINGS = 2  # of the side, at most
Tensor = Any  # a tensor of the backend
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Decoders(LayerOwner):
    """`whole` decodes a coarse map, `part` a quadrant of a fine one, which pictures of 16 to 28 px do not have."""

    whole: keras.Model
    part: keras.Model | None

    def error(self, reals: Tensor, maps: list[Tensor], draw: Tensor) -> Tensor:
        """The mean squared error of the reconstruction of `reals` (B, S, S, C) from D's `maps`, the coarse one first.

        `draw` in [0, 1) chooses the quadrant, the same for all pictures of a batch.
        """
        total = _squared_error(self.whole(maps[0], training=True), reals)
        if self.part is not None:
            chosen = ops.cast(ops.floor(4 * draw), "int32")
            quadrant = [_quadrant(each, chosen) for each in (maps[1], reals)]
            total += _squared_error(self.part(quadrant[0], training=True), quadrant[1])
        return total


def build_decoders(definition: Definition, *, size: int, channels: int, seed: int, dtype: str) -> Decoders:
    """Build the decoders for the discriminator of `definition` and pictures (S, S, channels)."""
    network, resolutions = definition.discriminator, Resolutions.of(size)
    layers = LayerFactory(network, role="decoder", seed=seed, dtype=dtype)
    compute_dtype = keras.DTypePolicy(dtype).compute_dtype

    def decoder(level: int, side: int, target: int, name: str) -> keras.Model:
        map_ = x = keras.Input((side, side, resolutions.width(network, level)), dtype=compute_dtype)
        width = network.width << DOUBLINGS
        for step in range(DOUBLINGS):
            if x.shape[1] == target:
                break
            width //= 2
            x = keras.layers.UpSampling2D(dtype=dtype)(x)
            x = layers.conv(x, width, bias=network.norm == "none", name=f"{name}_{step}")
            x = layers.relu(layers.norm(x, f"{name}_norm_{step}"), 0.2)
        x = layers.conv(x, channels, gain=1.0, name=f"{name}_image")
        return keras.Model(map_, keras.layers.Activation("tanh", dtype="float32")(x), name=name)

    coarse = resolutions.map_side(COARSE)
    whole = decoder(COARSE, coarse, size, "whole")
    part = decoder(FINE, coarse, size // 2, "part") if resolutions.levels > FINE else None
    return Decoders(layers=layers, whole=whole, part=part)


def _squared_error(decoded: Tensor, pictures: Tensor) -> Tensor:
    """The mean squared error of `decoded` from `pictures`, which are brought down to its side."""
    if (times := pictures.shape[1] // decoded.shape[1]) > 1:
        pictures = ops.average_pool(pictures, times, strides=times)
    return ops.mean(ops.square(decoded - pictures))


def _quadrant(x: Tensor, number: Tensor) -> Tensor:
    """Quadrant 0 to 3 of (B, S, S, C)."""
    batch, half, channels = x.shape[0], x.shape[1] // 2, x.shape[3]
    row, column = number // 2, number % 2
    return ops.slice(x, (0, row * half, column * half, 0), (batch, half, half, channels))
