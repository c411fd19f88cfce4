"""The aid of a vision-aided discriminator: heads that judge pictures by the maps of a network that has seen a million
photographs (Kumari et al. 2022, "Ensembling off-the-shelf models for GAN training"; Sauer et al. 2021).

That network is EfficientNet-Lite1, whose weights a package ships; they never change. It knows edges, textures and parts
of things from the first step, so that G learns shapes in minutes for which a small discriminator alone takes hours. It
sees pictures of less than 64 px enlarged, as it has learned from photographs of 240 px, and those of more than 128 px
brought down, for speed: finer details G learns from the discriminator itself. No score is by this network: what D
learns with would say little.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline import efficientnet
from pipeline.devices import keras
from pipeline.efficientnet import LITE1
from pipeline.gan import frozen_network
from pipeline.gan.config import Definition
from pipeline.gan.networks.builder import KERNEL, RELU_GAIN, LayerFactory, LayerOwner
from pipeline.store.torch_file import read_arrays

BLOCKS = (6, 12)  # of the frozen network, whose maps the heads read: an eighth and a sixteenth of the side
ENLARGED_TO, MOST_SIDE = 64, 128  # pixels of its input: smaller pictures are doubled up to the first, see `_seen_side`
WIDTH = 64  # channels of a head
OWN_SHARE = 0.6  # of the discriminator itself in a loss; heads, whose gradients are larger, would outweigh it otherwise
LEAST_SIDE = 2  # of the map that a head flattens
SLOPE = 0.2  # of the leaky ReLUs below zero
Tensor = Any  # a tensor of the backend
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class VisionAid(LayerOwner):
    """`frozen` gives the maps of BLOCKS, normalised by their statistics on ImageNet; `heads` a logit (B, 1) of each."""

    frozen: keras.Model
    heads: tuple[keras.Model, ...]

    def logits(self, pictures: Tensor, *, training: bool) -> Tensor:
        """The logits (B, heads) of `pictures` (B, S, S, C) in about [-1, 1], float32; gradients flow through."""
        maps = self.frozen(self._fitted(pictures), training=False)
        found = [head(each, training=training) for head, each in zip(self.heads, maps, strict=True)]
        return ops.concatenate(found, axis=1)

    def _fitted(self, pictures: Tensor) -> Tensor:
        """`pictures` as the frozen network expects them: of its side, with three channels."""
        side, given = self.frozen.input_shape[1], pictures.shape[1]
        if given > side:
            pictures = ops.average_pool(pictures, given // side, strides=given // side)
        elif given < side:
            pictures = ops.image.resize(pictures, (side, side), "bilinear", data_format="channels_last")
        if pictures.shape[-1] == 1:
            pictures = ops.repeat(pictures, 3, axis=-1)
        return efficientnet.prepare((pictures + 1.0) * 127.5)


def shared_loss(loss: Callable[..., Tensor], *logits: Tensor) -> Tensor:
    """`loss` of logits (B, K), of a discriminator itself and, if K is above 1, of the heads of its aid: OWN_SHARE is of
    the first."""
    if logits[0].shape[1] == 1:
        return loss(*logits)
    own, heads = loss(*(each[:, :1] for each in logits)), loss(*(each[:, 1:] for each in logits))
    return OWN_SHARE * own + (1 - OWN_SHARE) * heads


def build_vision_aid(definition: Definition, *, size: int, seed: int) -> VisionAid:
    """Build the aid for pictures of `size` pixels. Errors: `UserError` if the weights are not installed."""
    weights = frozen_network.require_weights()
    side = _seen_side(size)
    picture = keras.Input((side, side, 3))
    arrays = read_arrays(weights.path, sha256=weights.digest)
    maps = efficientnet.maps_of(picture, arrays, LITE1[: max(BLOCKS) + 1])[1:]
    normalised = [_normalised(maps[block], *efficientnet.statistics(arrays, block, LITE1)) for block in BLOCKS]
    frozen = keras.Model(picture, normalised, name="frozen")
    frozen.trainable = False
    layers = LayerFactory(definition.discriminator, role="vision_aid", seed=seed, dtype="float32")
    heads = tuple(_head(layers, each.shape[1:], f"aid_{block}") for block, each in zip(BLOCKS, normalised, strict=True))
    return VisionAid(layers=layers, frozen=frozen, heads=heads)


def _seen_side(size: int) -> int:
    """The side at which the frozen network sees pictures of `size` pixels: `size` times or over a power of two."""
    while size > MOST_SIDE:
        size //= 2  # of every size that a network can be built for, see `Resolutions`
    while 2 * size <= ENLARGED_TO:
        size *= 2
    return size


def _normalised(maps: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    return (maps - mean) / (deviation + efficientnet.EPSILON)


def _head(layers: LayerFactory, shape: tuple[int, ...], name: str) -> keras.Model:
    """Strided convolutions down to LEAST_SIDE, at least one, and a logit."""
    maps = x = keras.Input(shape)
    step = 0
    while not step or x.shape[1] > LEAST_SIDE:
        bias = layers.network.norm == "none"
        x = layers.conv(x, WIDTH, kernel=KERNEL, stride=2, bias=bias, gain=RELU_GAIN, name=f"{name}_{step}")
        x = layers.relu(layers.norm(x, f"{name}_norm_{step}"), SLOPE)
        step += 1
    flat = keras.layers.Flatten(dtype="float32")(x)
    return keras.Model(maps, layers.dense(flat, 1, gain=1.0, name=f"{name}_logit"), name=name)
