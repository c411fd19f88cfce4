"""The three losses of style transfer (Gatys, Ecker and Bethge 2016, "Image style transfer using CNNs").

The maps of a layer are a tensor (H, W, N) of one picture: N filters, M = H * W places. All functions are written in
`keras.ops`, so that both backends can take their gradient.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.devices import keras

ops = keras.ops


def content_loss(maps: Any, wanted: Any) -> Any:
    """Half of the sum of squared differences of two maps (H, W, N), F and P: equation 1, one half of Σ (F - P)²."""
    return 0.5 * ops.sum(ops.square(maps - wanted))


def gram_matrix(maps: Any) -> Any:
    """The correlations (N, N) of the filters of `maps` (H, W, N): equation 3, G_ij = Σ_k F_ik F_jk over the M places,
    here divided by M, so that pictures of different sizes can be compared."""
    flat = ops.reshape(maps, (-1, maps.shape[-1]))
    return ops.matmul(ops.transpose(flat), flat) / ops.cast(ops.shape(flat)[0], flat.dtype)


def layer_style_loss(gram: Any, wanted: Any) -> Any:
    """The distance of two Gram matrices (N, N), G and A, of one layer: equation 4, Σ (G - A)² / (4 N²).

    The paper also divides by M², which `gram_matrix` has done already.
    """
    return ops.sum(ops.square(gram - wanted)) / (4.0 * gram.shape[-1] ** 2)


def style_loss(grams: Mapping[str, Any], wanted: Mapping[str, Any], weights: Mapping[str, float]) -> Any:
    """The sum over layers of their style losses, each times its weight: equation 5, Σ w_l E_l."""
    return sum(weight * layer_style_loss(grams[name], wanted[name]) for name, weight in weights.items())


def total_variation(picture: Any) -> Any:
    """The sum of the absolute differences between neighbouring pixels of a picture (H, W, C): Σ |Δx| + Σ |Δy|."""
    down, right = picture[1:] - picture[:-1], picture[:, 1:] - picture[:, :-1]
    return ops.sum(ops.abs(down)) + ops.sum(ops.abs(right))
