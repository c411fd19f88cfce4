import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks.layers import LayerNorm

tf = pytest.importorskip("tensorflow")

X = (np.random.default_rng(1).standard_normal((3, 4, 4, 2)) * 2 + 1).astype(np.float32)
WEIGHT = np.random.default_rng(2).standard_normal(X.shape).astype(np.float32)
BEFORE = np.random.default_rng(4).standard_normal(X.shape).astype(np.float32)  # in place of the earlier layers


def make_layer(kind, dtype: str = "float32"):
    layer = kind(groups=1, epsilon=1e-5, dtype=dtype)
    layer.build(X.shape)
    layer.gamma.assign([1.5, -0.5])
    layer.beta.assign([0.2, 1.0])
    return layer


def slope(layer, x: np.ndarray) -> tf.Tensor:
    """The gradient by `x` of a weighted sum of the layer's output."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.cast(layer(x), tf.float32) * WEIGHT)
    return tape.gradient(total, x)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2)])
def test_layer_norm_equals_keras_own(dtype, error):
    own, layer = make_layer(keras.layers.GroupNormalization, dtype), make_layer(LayerNorm, dtype)
    x = tf.cast(X, layer.compute_dtype)
    assert layer(x).dtype == own(x).dtype
    for found, expected in ((layer(x), own(x)), (slope(layer, x), slope(own, x))):
        assert np.allclose(tf.cast(found, "float32"), tf.cast(expected, "float32"), atol=error * 3)


def test_layer_norm_second_derivative_is_correct():
    layer, x = make_layer(LayerNorm), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        squared = tf.reduce_sum((slope(layer, x) * BEFORE) ** 2)
    found = np.asarray(tape.gradient(squared, x)).astype(float)
    direction = np.random.default_rng(3).standard_normal(X.shape)
    ends = [_squared_slope(X + step * direction) for step in (1e-5, -1e-5)]
    assert (found * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3)


def _squared_slope(x: np.ndarray) -> float:
    """The squared weighted slope by NumPy in double precision, from the formula of the first derivative."""
    axes, gamma = (1, 2, 3), np.array([1.5, -0.5])
    centred = x - x.mean(axis=axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axes, keepdims=True) + 1e-5)
    unit, back = centred / deviation, WEIGHT * gamma
    by_x = back - back.mean(axis=axes, keepdims=True) - unit * (back * unit).mean(axis=axes, keepdims=True)
    return float(((by_x / deviation * BEFORE) ** 2).sum())
