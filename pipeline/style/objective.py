"""What style transfer minimises: α content + β style + γ variation, with its gradient, for one content at one size.

The losses are those of `style_losses`, each relative to a fixed size, so that one weight suits every layer, network and
number of pixels: the content loss of a layer to that of maps that are 0, the style loss of a layer to that of a Gram
matrix that is 0, the variation to the number of values. A content or style loss of 0.01 is 1 % of that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.devices import backend, keras
from pipeline.errors import UserError
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
        shift: pixels by which the picture is moved at most, in each direction, but by no more than a quarter of its
            shorter side. The maps of a network whose layers skip pixels repeat every few pixels, and so would the
            gradient (Odena et al. 2016, "Deconvolution and checkerboard artifacts"); moved pictures average this out.
        seed: of the shifts.
        grey: the picture has three equal channels and keeps them so: the gradient is the mean over the channels.

    Raises:
        UserError: the pictures are too small for a layer.
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
        grey: bool = False,
    ) -> None:
        shift, self._grey = min(shift, min(content.shape[:2]) // 4), grey
        layers = tuple(weights.content_layers.items()), tuple(weights.style_layers.items())
        self._losses = _losses(network, (weights.content, weights.style, weights.variation), *layers, shift)
        self._offsets = _offsets(shift, seed)
        self._contents = [self._losses.content_maps(content, offset) for offset in self._offsets]
        self._grams = [self._losses.mixed_grams(styles, shares, offset) for offset in self._offsets]

    def __call__(self, picture: np.ndarray, number: int) -> Value:
        """The losses of `picture` (H, W, 3) float32 in [0, 1], moved as belongs to the step `number`."""
        index = number % len(self._offsets)
        (total, parts), gradient = self._losses.compute(
            ops.convert_to_tensor(picture, dtype="float32"),
            ops.convert_to_tensor(self._offsets[index], dtype="int32"),
            self._contents[index],
            self._grams[index],
        )
        content, style, variation = map(float, parts)
        pixels = np.array(gradient, np.float32)
        if self._grey:
            pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
        return Value(total=float(total), content=content, style=style, variation=variation, gradient=pixels)


class _Losses:
    """The losses as a compiled function of the picture, its offset, and what the network sees in content and styles."""

    def __init__(self, network: FeatureNetwork, weights: Weights, shift: int) -> None:
        self._weights, self._shift = weights, shift
        self._content_layers, self._style_layers = [*weights.content_layers], [*weights.style_layers]
        self._maps = network.maps([*self._content_layers, *self._style_layers])
        self.compute = _with_gradient(self._weighted_sum)

    def content_maps(self, content: np.ndarray, offset: np.ndarray) -> list[Any]:
        """The maps of the content layers for a content moved by `offset`."""
        moved = self._moved(ops.convert_to_tensor(content, dtype="float32"), ops.convert_to_tensor(offset))
        return self._seen(moved)[: len(self._content_layers)]

    def mixed_grams(self, styles: Sequence[np.ndarray], shares: Sequence[float], offset: np.ndarray) -> list[Any]:
        """The mean of the Gram matrices of the styles moved by `offset`, each by its share.

        The sum of the styles' losses has the same gradient. Layers that skip pixels see another part of a regular
        pattern at each offset, so their Gram matrices differ too.
        """
        mixed: list[Any] = [0.0] * len(self._style_layers)
        for style, share in zip(styles, shares, strict=True):
            moved = self._moved(ops.convert_to_tensor(style, dtype="float32"), ops.convert_to_tensor(offset))
            maps = self._seen(moved)[len(self._content_layers) :]
            mixed = [sum_ + share * gram_matrix(each) for sum_, each in zip(mixed, maps, strict=True)]
        return mixed

    def _seen(self, picture: Any) -> list[Any]:
        """The maps of all layers. Errors: `UserError` if one has no place in them."""
        found = self._maps(picture)
        for layer, maps in zip([*self._content_layers, *self._style_layers], found, strict=True):
            if not np.prod(maps.shape):
                height, width = picture.shape[:2]
                raise UserError(
                    f"{width} x {height} pixels are too few for the layer {layer}: choose shallower layers, a larger"
                    " size or fewer levels"
                )
        return found

    def _weighted_sum(self, picture: Any, offset: Any, contents: list[Any], grams: list[Any]) -> tuple[Any, tuple]:
        """The total, and (content, style, variation)."""
        found = self._maps(self._moved(picture, offset))
        content = self._content(found[: len(contents)], contents)
        style = self._style(found[len(contents) :], grams)
        variation = total_variation(picture) / float(np.prod(picture.shape))
        weights = self._weights
        total = weights.content * content + weights.style * style + weights.variation * variation
        return total, (content, style, variation)

    def _content(self, found: Sequence[Any], wanted: Sequence[Any]) -> Any:
        """The mean over the layers, by their weights, of content losses relative to that of maps that are 0."""
        weights = self._weights.content_layers
        losses = (content_loss(a, b) / _unit(content_loss(0.0 * b, b)) for a, b in zip(found, wanted, strict=True))
        return sum(weight * loss for weight, loss in zip(weights.values(), losses, strict=True)) / sum(weights.values())

    def _style(self, found: Sequence[Any], wanted: Sequence[Any]) -> Any:
        """The style loss, its weights with the sum 1, each layer relative to the loss of a Gram matrix that is 0."""
        weights, grams = self._weights.style_layers, dict(zip(self._style_layers, wanted, strict=True))
        shares = {
            layer: weight / sum(weights.values()) / _unit(layer_style_loss(0.0 * grams[layer], grams[layer]))
            for layer, weight in weights.items()
        }
        return style_loss(dict(zip(self._style_layers, map(gram_matrix, found), strict=True)), grams, shares)

    def _moved(self, picture: Any, offset: Any) -> Any:
        """`picture` moved by `offset`, with mirrored pixels where it has none."""
        if not self._shift:
            return picture
        border = [[self._shift, self._shift], [self._shift, self._shift], [0, 0]]
        padded = ops.pad(picture, border, mode="reflect")
        return ops.slice(padded, (offset[0], offset[1], 0), picture.shape)


Layers = tuple[tuple[str, float], ...]


@lru_cache(maxsize=2)  # a second picture of the same shape is not compiled again
def _losses(
    network: FeatureNetwork, parts: tuple[float, float, float], content: Layers, style: Layers, shift: int
) -> _Losses:
    alpha, beta, gamma = parts
    weights = Weights(
        content=alpha, style=beta, variation=gamma, content_layers=dict(content), style_layers=dict(style)
    )
    return _Losses(network, weights, shift)


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
