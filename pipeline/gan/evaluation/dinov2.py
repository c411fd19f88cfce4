"""DINOv2 ViT-S/14 as an extractor, from the weights that Meta publishes (M. Oquab et al., "DINOv2: Learning Robust
Visual Features without Supervision", 2023).

The file is `model.safetensors` of facebook/dinov2-small at huggingface.co, Apache-2.0, 88 MB; it is never downloaded.
The features are those of the class token after the last normalisation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.devices import keras
from pipeline.store.safetensors import read_arrays

SUFFIX = ".safetensors"
SIDE = 224  # pixels of the input: 16 x 16 patches
# Of the pixels of ImageNet, from 0 to 1
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
EPSILON = 1e-6  # of the normalisations
PARTS = ("query", "key", "value")
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Form:
    """The sizes of a vision transformer."""

    width: int = 384
    layers: int = 12
    heads: int = 6
    hidden: int = 1536
    patch: int = 14  # pixels a side
    grid: int = 37  # positions a side that the file holds: 518 px

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array that is used, by its name in the file."""
        width, square = (self.width,), (self.width, self.width)
        found: dict[str, tuple[int, ...]] = {
            "embeddings.cls_token": (1, 1, self.width),
            "embeddings.position_embeddings": (1, 1 + self.grid**2, self.width),
            "embeddings.patch_embeddings.projection.weight": (self.width, 3, self.patch, self.patch),
            "embeddings.patch_embeddings.projection.bias": width,
            "layernorm.weight": width,
            "layernorm.bias": width,
        }
        layer: dict[str, tuple[int, ...]] = {
            **{f"norm{number}.{kind}": width for number in (1, 2) for kind in ("weight", "bias")},
            **{f"layer_scale{number}.lambda1": width for number in (1, 2)},
            **{f"attention.attention.{name}.weight": square for name in PARTS},
            **{f"attention.attention.{name}.bias": width for name in PARTS},
            "attention.output.dense.weight": square,
            "attention.output.dense.bias": width,
            "mlp.fc1.weight": (self.hidden, self.width),
            "mlp.fc1.bias": (self.hidden,),
            "mlp.fc2.weight": (self.width, self.hidden),
            "mlp.fc2.bias": width,
        }
        return found | {f"encoder.layer.{n}.{name}": shape for n in range(self.layers) for name, shape in layer.items()}


class Dinov2:
    """The network with the weights in the file `path`.

    Raises:
        UnusableFile: The file holds something else.
    """

    def __init__(self, path: Path, *, form: Form | None = None, side: int | None = None) -> None:
        self.form, self.side = form or Form(), side or SIDE
        arrays = read_arrays(path, self.form.shapes())
        position = arrays.pop("embeddings.position_embeddings")[0]
        cls = arrays.pop("embeddings.cls_token")[0] + position[:1]
        self._places = ops.convert_to_tensor(_resize(position[1:], self.form.grid, self.side // self.form.patch))
        self._class = ops.convert_to_tensor(cls)
        self._weights = {name: ops.convert_to_tensor(array) for name, array in arrays.items()}

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features (N, width) float32 of `pictures` (N, side, side, 3) float32 in [0, 255]."""
        normal = (pictures / np.float32(255) - MEAN) / DEVIATION
        tokens = self._embed(normal.astype(np.float32))
        for number in range(self.form.layers):
            name = f"encoder.layer.{number}"
            attended = self._attend(self._normalize(tokens, f"{name}.norm1"), f"{name}.attention")
            tokens = tokens + attended * self._weights[f"{name}.layer_scale1.lambda1"]
            hidden = ops.gelu(
                self._dense(self._normalize(tokens, f"{name}.norm2"), f"{name}.mlp.fc1"), approximate=False
            )
            tokens = tokens + self._dense(hidden, f"{name}.mlp.fc2") * self._weights[f"{name}.layer_scale2.lambda1"]
        return np.asarray(ops.convert_to_numpy(self._normalize(tokens[:, 0], "layernorm")))

    def _embed(self, normal: np.ndarray) -> Any:
        count, patch, across = len(normal), self.form.patch, self.side // self.form.patch
        cells = normal.reshape(count, across, patch, across, patch, 3).transpose(0, 1, 3, 5, 2, 4)
        name = "embeddings.patch_embeddings.projection"
        kernel = ops.reshape(self._weights[f"{name}.weight"], (self.form.width, -1))
        patches = ops.matmul(cells.reshape(count, across**2, -1), ops.transpose(kernel)) + self._weights[f"{name}.bias"]
        first = ops.broadcast_to(self._class, (count, 1, self.form.width))
        return ops.concatenate([first, patches + self._places], axis=1)

    def _attend(self, tokens: Any, name: str) -> Any:
        query, key, value = (self._split(self._dense(tokens, f"{name}.attention.{part}")) for part in PARTS)
        each = self.form.width // self.form.heads
        shares = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / np.float32(each**0.5), axis=-1)
        joined = ops.transpose(ops.matmul(shares, value), (0, 2, 1, 3))
        return self._dense(ops.reshape(joined, tokens.shape), f"{name}.output.dense")

    def _split(self, tokens: Any) -> Any:
        count, length, width = tokens.shape
        heads = ops.reshape(tokens, (count, length, self.form.heads, width // self.form.heads))
        return ops.transpose(heads, (0, 2, 1, 3))

    def _dense(self, tokens: Any, name: str) -> Any:
        return ops.matmul(tokens, ops.transpose(self._weights[f"{name}.weight"])) + self._weights[f"{name}.bias"]

    def _normalize(self, tokens: Any, name: str) -> Any:
        mean, variance = ops.mean(tokens, axis=-1, keepdims=True), ops.var(tokens, axis=-1, keepdims=True)
        normal = (tokens - mean) / ops.sqrt(variance + EPSILON)
        return normal * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _resize(position: np.ndarray, grid: int, across: int) -> np.ndarray:
    """The positions (grid * grid, width) for another number of patches: bicubic, as PyTorch does it."""
    width = position.shape[1]
    maps = cv2.resize(
        np.ascontiguousarray(position.reshape(grid, grid, width)), (across, across), interpolation=cv2.INTER_CUBIC
    )
    return maps.reshape(across**2, width)
