"""What style transfer minimises: α content + β style + γ variation, with its gradient, for one content at one size.

The losses are those of `style_losses`, each relative to a fixed size, so that one weight suits every layer, network and
number of pixels: the content loss of a layer to that of maps that are 0, the style loss of a layer to that of a Gram
matrix that is 0, the variation to the number of values. A content or style loss of 0.01 is 1 % of that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.devices import backend, keras
from pipeline.style.feature_maps import FeatureNetwork
from pipeline.style.style_losses import content_loss, gram_matrix, layer_style_loss, style_loss, total_variation

SHIFTS = 8  # different positions of the picture, one after the other
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Weights:
    """α, β, γ, and the weight of each layer."""

    content: float
    style: float
    variation: float
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Value:
    """The losses of one picture, and the gradient (H, W, 3) float32 of their weighted sum `total`."""

    total: float
    content: float
    style: float
    variation: float
    gradient: np.ndarray

    def losses(self) -> dict[str, float]:
        """The losses by name."""
        return {name: getattr(self, name) for name in ("content", "style", "variation", "total")}


class Objective:
    """The weighted sum of the losses as a function of the picture.

    Args:
        network: compares the pictures.
        content: (H, W, 3) float32 in [0, 1].
        styles: pictures of any size in the same form.
        shares: the share of each style; their sum is 1.
        weights: of the losses and the layers.
        shift: pixels by which the picture is moved at most, in each direction. The maps of a network whose layers
            skip pixels repeat every few pixels, and so would the gradient (Odena et al. 2016, "Deconvolution and
            checkerboard artifacts"); moved pictures average this out.
        seed: of the shifts.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        *,
        shares: Sequence[float],
        weights: Weights,
        shift: int,
        seed: int,
    ) -> None:
        self._weights, self._shift = weights, shift
        self._content_layers, self._style_layers = list(weights.content_layers), list(weights.style_layers)
        self._maps = network.maps([*self._content_layers, *self._style_layers])
        self._offsets = _offsets(shift, seed)
        self._contents = [self._content_maps(content, offset) for offset in self._offsets]
        self._grams = self._mixed_grams(styles, shares)
        self._compute = _with_gradient(self._losses)

    def __call__(self, picture: np.ndarray, number: int) -> Value:
        """The losses of `picture` (H, W, 3) float32 in [0, 1], moved as belongs to the step `number`."""
        index = number % len(self._offsets)
        (total, parts), gradient = self._compute(
            ops.convert_to_tensor(picture, dtype="float32"),
            ops.convert_to_tensor(self._offsets[index], dtype="int32"),
            self._contents[index],
            self._grams,
        )
        content, style, variation = map(float, parts)
        pixels = np.array(gradient, np.float32)
        return Value(total=float(total), content=content, style=style, variation=variation, gradient=pixels)

    def _losses(self, picture: Any, offset: Any, contents: list[Any], grams: list[Any]) -> tuple[Any, tuple]:
        found = self._maps(self._moved(picture, offset))
        count, weights = len(contents), self._weights
        content = style = ops.convert_to_tensor(0.0)
        for layer, maps, wanted in zip(self._content_layers, found[:count], contents, strict=True):
            share = weights.content_layers[layer] / sum(weights.content_layers.values())
            content += share * content_loss(maps, wanted) / _unit(content_loss(0.0 * wanted, wanted))
        found_grams = dict(zip(self._style_layers, map(gram_matrix, found[count:]), strict=True))
        wanted_grams = dict(zip(self._style_layers, grams, strict=True))
        total = sum(weights.style_layers.values())
        shares = {
            layer: weight / total / _unit(layer_style_loss(0.0 * wanted_grams[layer], wanted_grams[layer]))
            for layer, weight in weights.style_layers.items()
        }
        style += style_loss(found_grams, wanted_grams, shares)
        variation = total_variation(picture) / float(np.prod(picture.shape))
        total = weights.content * content + weights.style * style + weights.variation * variation
        return total, (content, style, variation)

    def _moved(self, picture: Any, offset: Any) -> Any:
        """`picture` moved by `offset`, with mirrored pixels where it has none."""
        if not self._shift:
            return picture
        border = [[self._shift, self._shift], [self._shift, self._shift], [0, 0]]
        padded = ops.pad(picture, border, mode="reflect")
        return ops.slice(padded, (offset[0], offset[1], 0), picture.shape)

    def _content_maps(self, content: np.ndarray, offset: np.ndarray) -> list[Any]:
        moved = self._moved(ops.convert_to_tensor(content, dtype="float32"), ops.convert_to_tensor(offset))
        return self._maps(moved)[: len(self._content_layers)]

    def _mixed_grams(self, styles: Sequence[np.ndarray], shares: Sequence[float]) -> list[Any]:
        """The mean of the styles' Gram matrices, each by its share: the sum of their losses has the same gradient."""
        mixed: list[Any] = [0.0] * len(self._style_layers)
        for style, share in zip(styles, shares, strict=True):
            maps = self._maps(ops.convert_to_tensor(style, dtype="float32"))[len(self._content_layers) :]
            mixed = [sum_ + share * gram_matrix(each) for sum_, each in zip(mixed, maps, strict=True)]
        return mixed


def _unit(loss: Any) -> Any:
    """`loss` as a divisor: a layer that sees nothing in the content, or in the style, then counts nothing."""
    return ops.maximum(loss, 1e-12)


def _offsets(shift: int, seed: int) -> np.ndarray:
    """(SHIFTS, 2) int32, from 0 to 2 `shift`; only one if nothing is moved."""
    if not shift:
        return np.zeros((1, 2), np.int32)
    return np.random.default_rng([seed, shift]).integers(0, 2 * shift + 1, (SHIFTS, 2)).astype(np.int32)


def _with_gradient(losses: Callable) -> Callable:
    """Compile `losses` to a function that also returns the gradient of the first value by the first argument."""
    if backend() == "jax":
        import jax

        return jax.jit(jax.value_and_grad(losses, has_aux=True))
    import tensorflow as tf

    def compute(picture: Any, *others: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            total, parts = losses(picture, *others)
        return (total, parts), tape.gradient(total, picture)

    return tf.function(compute)
