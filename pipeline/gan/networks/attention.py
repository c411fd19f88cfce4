"""Self-attention over the places of a feature map, of Keras' own layers (Zhang et al. 2019, SAGAN)."""

from pipeline.gan.networks.layers import Layers, Tensor
from pipeline.gan.runtime import keras


def attend(layers: Layers, x: Tensor, *, name: str) -> Tensor:
    """`x` (B, H, W, C) plus what each place gathers from all others; at first nothing.

    SAGAN's factor that starts at 0 is part of the last convolution, whose kernel starts at 0. As in BigGAN, keys and
    values are pooled, which makes it four times cheaper.
    """
    side, width = x.shape[1], x.shape[-1]
    narrow, half = max(width // 8, 1), max(width // 2, 1)
    query = _places(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_query"))
    key = _places(_pooled(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_key")))
    value = _places(_pooled(layers.conv(x, half, kernel=1, bias=False, gain=1.0, name=f"{name}_value")))
    seen = keras.layers.Attention(dtype=layers.dtype)([query, value, key])
    seen = keras.layers.Reshape((side, x.shape[2], half), dtype=layers.dtype)(seen)
    change = layers.conv(seen, width, kernel=1, bias=False, gain=1.0, gated=True, name=f"{name}_out")
    return keras.layers.Add(dtype=layers.dtype)([x, change])


def _pooled(x: Tensor) -> Tensor:
    return keras.layers.MaxPooling2D(2, dtype="mixed_bfloat16" if x.dtype == "bfloat16" else "float32")(x)


def _places(x: Tensor) -> Tensor:
    """(B, H, W, C) as (B, H * W, C)."""
    dtype = "mixed_bfloat16" if x.dtype == "bfloat16" else "float32"
    return keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), dtype=dtype)(x)
