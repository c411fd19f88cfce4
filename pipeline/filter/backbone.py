"""A pretrained network without its last layer, made small and fast: pictures in, features out.

TensorFlow Lite runs it at twice the speed of Keras on a CPU. MobileNet it also brings to 8-bit integers: that is six
times the speed, and its features are as good for telling pictures apart (average precision over six subjects .882
against .879). The steps of the integers are set on some of the pictures at hand, so the converted network belongs to
the classifier and is kept with it. MobileNetV3 has parts that integers make slower, and stays as it is.
"""

import math
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from pipeline.devices import keras
from pipeline.images.raster import squares
from pipeline.machine import usable_cores
from pipeline.pretrained import KNOWN, NONE, Weights, identify, strange

SIDE = 192  # pixels: 160 costs .01 of average precision, 224 gains .003 and takes half as long again
SIDES = dict.fromkeys(KNOWN, SIDE)
BATCH = 8  # pictures at once: what flows between two layers then stays in the processor's cache
INTEGERS = {"MobileNet"}  # networks that are brought to integers
ASKED = "classifier.backbone"
MOST = 1 << 28  # numbers in all tensors for one picture; MobileNet has a tenth of it
CALIBRATED_ON = 64  # pictures; more change nothing


class Backbone:
    """A converted network."""

    def __init__(self, content: bytes) -> None:
        self.content = content  # a TensorFlow Lite file

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`images` (N, H, W, C) uint8, C 1 or 3, as features of the last layer (N, D) and of a middle one (N, E),
        float32, each averaged over the picture."""
        parts = [self._batch(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        deep, middle = (np.concatenate(kind) for kind in zip(*parts, strict=True))
        return deep, middle

    def _batch(self, images: np.ndarray) -> list[np.ndarray]:
        batch = np.zeros((BATCH, SIDE, SIDE, 3), np.float32)  # always full: another size would mean new buffers
        batch[: len(images)] = enlarge(images)
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], batch)
        self._interpreter.invoke()
        outputs = sorted(self._interpreter.get_output_details(), key=lambda output: output["name"])
        return [self._interpreter.get_tensor(output["index"])[: len(images)] for output in outputs]

    @cached_property
    def _interpreter(self):
        import tensorflow

        interpreter = tensorflow.lite.Interpreter(model_content=self.content, num_threads=usable_cores())
        tensors = (math.prod(map(int, each["shape"])) for each in interpreter.get_tensor_details())
        if sum(tensors) > MOST:
            raise ValueError("has tensors that no network known here has")
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [BATCH, SIDE, SIDE, 3])
        interpreter.allocate_tensors()
        return interpreter


def enlarge(images: np.ndarray) -> np.ndarray:
    """`images` (N, H, W, C) uint8 as (N, SIDE, SIDE, 3) float32 in [0, 255]."""
    colour = squares(images, images.shape[1])
    return np.array([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in colour], np.float32)


def convert(weights: Weights, images: np.ndarray) -> Backbone:
    """The network of `weights`, its integers fitted to `images` (N, H, W, C) uint8.

    Errors: `UserError` if the file holds no weights of a network that is known here.
    """
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze

    name, network = load_network(weights)
    prepare = preprocessing(name)
    outputs = keras.Model(network.input, _outputs(network))

    @tensorflow.function(input_signature=[tensorflow.TensorSpec((None, SIDE, SIDE, 3), tensorflow.float32)])
    def features(pictures):
        deep, middle = outputs(prepare(pictures), training=False)
        return {"deep": deep, "middle": middle}

    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([freeze(features.get_concrete_function())])
    if name in INTEGERS:
        pictures = enlarge(images[:CALIBRATED_ON])
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([picture[np.newaxis]] for picture in pictures)
    return Backbone(converter.convert())


def load_network(
    weights: Weights, sides: Mapping[str, int] = SIDES, *, asked: str = ASKED, instead: str = NONE
) -> tuple[str, keras.Model]:
    """The name and the network of keras.applications, without its top, that the weights file is of: the named one, or
    the one of `sides` that the file fits, for pictures of as many pixels a side.

    Errors: `UserError`, which names the option `asked` and what would do `instead`, for weights of anything else.
    """
    name = identify(weights, sides, asked=asked, instead=instead)
    shape = (sides[name], sides[name], 3)
    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=shape)
    if _load(network, weights.path):
        return name, network
    raise strange(weights, [name], "has other layers", asked=asked, instead=instead)


def identify_backbone(weights: Weights) -> str:
    """The name of the network that `weights` are of; no network is built. Errors: `UserError` for anything else."""
    return identify(weights, KNOWN, asked=ASKED, instead=NONE)


def _load(network: keras.Model, path: Path) -> bool:
    """Whether `path` holds all the weights of `network`, which has them then. Keras itself skips what it finds no place
    for, with a warning."""
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            network.load_weights(path)
        except Exception:  # of any kind: it depends on where in the file what is sought is not
            return False
    return all(np.isfinite(weight).all() for weight in network.get_weights())


def preprocessing(name: str) -> Callable:
    """What brings pictures in [0, 255] to the range that the network called `name` was trained on."""
    return sys.modules[getattr(keras.applications, name).__module__].preprocess_input


def _outputs(network: keras.Model) -> list[keras.KerasTensor]:
    """The last layer, and the last one whose answers are twice as many a side."""
    side = network.output.shape[1]
    middle = [layer.output for layer in network.layers if layer.output.shape[1:3] == (2 * side, 2 * side)][-1]
    return [keras.layers.GlobalAveragePooling2D()(found) for found in (network.output, middle)]
