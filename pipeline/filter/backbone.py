"""A pretrained network without its classification layer, converted to TensorFlow Lite: squares in, features out.

MobileNet is also quantised to 8-bit integers: that is six times as fast as Keras, and its features separate on-target
from off-target squares as well (mean average precision over six subjects .882 against .879). The quantisation is
calibrated on squares of the dataset, so the converted network belongs to the classifier and is saved with it.
MobileNetV3 has layers that become slower in integers, so it stays in floats.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.devices import keras
from pipeline.images.raster import squares
from pipeline.lite_network import BATCH, LiteNetwork, convert
from pipeline.pretrained import KNOWN, NONE, Weights, identify, unusable_weights

SIDE = 192  # pixels: at 160 average precision falls by .01; 224 gains .003 and takes 50 % longer
SIDES = dict.fromkeys(KNOWN, SIDE)
QUANTIZED = {"MobileNet"}  # networks that are quantised to 8-bit integers
OPTION = "classifier.backbone"
CALIBRATION_SAMPLES = 64  # squares; more of them change nothing


class Backbone:
    """A converted network (TensorFlow Lite) that computes features."""

    def __init__(self, content: bytes) -> None:
        self.content = content  # a TensorFlow Lite file
        self._network = LiteNetwork(content, side=SIDE)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute features, each averaged over the square.

        Args:
            images: (N, H, W, C) uint8, C 1 or 3.

        Returns:
            Features of the last layer (N, D) and of a middle layer (N, E), float32.
        """
        parts = [self._network(enlarge(images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
        deep, middle = (np.concatenate(part) for part in zip(*parts, strict=True))
        return deep, middle


def enlarge(images: np.ndarray) -> np.ndarray:
    """Resize `images` (N, H, W, C) uint8 to (N, SIDE, SIDE, 3) float32 in [0, 255]."""
    colour_squares = squares(images, images.shape[1])
    return np.array(
        [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in colour_squares], np.float32
    )


def convert_backbone(weights: Weights, images: np.ndarray) -> Backbone:
    """Convert a pretrained network to TensorFlow Lite, with its quantisation calibrated on `images`.

    Args:
        weights: A weights file of a known network.
        images: (N, H, W, C) uint8 squares of the dataset.

    Raises:
        UserError: If the file does not hold the weights of a known network.
    """
    name, network = load_network(weights)
    prepare = preprocessing(name)
    model = keras.Model(network.input, _feature_outputs(network))

    def features(pictures: Any) -> dict[str, Any]:
        deep, middle = model(prepare(pictures), training=False)
        return {"deep": deep, "middle": middle}

    calibration = enlarge(images[:CALIBRATION_SAMPLES]) if name in QUANTIZED else None
    return Backbone(convert(features, side=SIDE, calibration=calibration).content)


def load_network(
    weights: Weights, sides: Mapping[str, int] = SIDES, *, option: str = OPTION, alternative: str = NONE
) -> tuple[str, keras.Model]:
    """Build the keras.applications network, without its top, that a weights file belongs to, and load its weights.

    Args:
        weights: The file; the network it names, or the one of `sides` that it fits.
        sides: Side in pixels of the pictures for each network.
        option: The option that named the file, for the error.
        alternative: A value of that option that would work, for the error.

    Raises:
        UserError: If the file does not hold the weights of one of these networks.
    """
    name = identify(weights, sides, option=option, alternative=alternative)
    shape = (sides[name], sides[name], 3)
    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=shape)
    if _load_weights(network, weights.path):
        return name, network
    raise unusable_weights(weights, [name], "has other layers", option=option, alternative=alternative)


def identify_backbone(weights: Weights) -> str:
    """Name the network that a weights file belongs to, without building the network.

    Raises:
        UserError: If the file does not hold the weights of a known network.
    """
    return identify(weights, KNOWN, option=OPTION, alternative=NONE)


def _load_weights(network: keras.Model, path: Path) -> bool:
    """Load all weights of `network` from `path`; returns whether every weight was found.

    Keras only warns about weights that the file lacks, so all weights are set to NaN first and checked afterwards.
    """
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            network.load_weights(path)
        except Exception:  # Keras raises several types, depending on what the file lacks
            return False
    return all(np.isfinite(weight).all() for weight in network.get_weights())


def preprocessing(name: str) -> Callable:
    """The function that scales squares in [0, 255] to the range that the network `name` was trained on."""
    return sys.modules[getattr(keras.applications, name).__module__].preprocess_input


def _feature_outputs(network: keras.Model) -> list[keras.KerasTensor]:
    """Averaged outputs of the last layer, and of the last layer with twice its resolution."""
    side = network.output.shape[1]
    middle = [layer.output for layer in network.layers if layer.output.shape[1:3] == (2 * side, 2 * side)][-1]
    return [keras.layers.GlobalAveragePooling2D()(found) for found in (network.output, middle)]
