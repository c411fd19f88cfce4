"""Networks converted to TensorFlow Lite: on a CPU it computes those with depthwise convolutions faster than Keras."""

import math
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.machine import usable_cores

BATCH = 8  # pictures at once: the activations between two layers then fit into the processor's cache
MAX_TENSOR_SIZE = 1 << 28  # elements in all tensors for one picture; MobileNet has a tenth of it


class LiteNetwork:
    """A TensorFlow Lite file, `content`, as a function of pictures whose side is `side` px."""

    def __init__(self, content: bytes, *, side: int) -> None:
        self.content, self.side = content, side

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The outputs (N, ...) float32, by their names, for at most BATCH pictures (N, side, side, 3) float32.

        Errors: `ValueError` if the file holds no network, or a larger one than any known network.
        """
        batch = np.zeros((BATCH, self.side, self.side, 3), np.float32)  # always full: another size needs new buffers
        batch[: len(pictures)] = pictures
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], batch)
        self._interpreter.invoke()
        outputs = sorted(self._interpreter.get_output_details(), key=lambda output: output["name"])
        return [self._interpreter.get_tensor(output["index"])[: len(pictures)] for output in outputs]

    @cached_property
    def _interpreter(self) -> Any:
        import tensorflow

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")  # the version is pinned
            interpreter = tensorflow.lite.Interpreter(model_content=self.content, num_threads=usable_cores())
        tensors = (math.prod(map(int, each["shape"])) for each in interpreter.get_tensor_details())
        if sum(tensors) > MAX_TENSOR_SIZE:
            raise ValueError("has larger tensors than any known network")
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [BATCH, self.side, self.side, 3])
        interpreter.allocate_tensors()
        return interpreter


def convert(
    outputs: Callable[[Any], dict[str, Any]], *, side: int, calibration: np.ndarray | None = None
) -> LiteNetwork:
    """Convert `outputs`, a function of TensorFlow from pictures (N, side, side, 3) float32 to tensors by name.

    With `calibration`, pictures of that shape, it is also quantised to 8-bit integers.
    """
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze

    signature = [tensorflow.TensorSpec((None, side, side, 3), tensorflow.float32)]
    concrete = tensorflow.function(outputs, input_signature=signature).get_concrete_function()
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([freeze(concrete)])
    if calibration is not None:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([picture[np.newaxis]] for picture in calibration)
    return LiteNetwork(converter.convert(), side=side)
