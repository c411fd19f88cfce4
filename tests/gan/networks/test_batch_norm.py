import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks.layers import FusedBatchNorm

tf = pytest.importorskip("tensorflow")

X = (np.random.default_rng(1).standard_normal((6, 5, 5, 4)) * [1, 3, 0.1, 2] + [0, 5, -1, 2]).astype(np.float32)
WEIGHT = np.random.default_rng(2).standard_normal(X.shape).astype(np.float32)


def learned(kind, dtype: str):
    """The output in training, its gradients by input, scale and offset, the stored statistics, and the output at
    inference.
    """
    layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
    layer.build(X.shape)
    layer.gamma.assign([1.0, 0.5, 2.0, -1.0])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5])
    x = tf.cast(X, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * WEIGHT)
    gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    parts = [y, *gradients, layer.moving_mean, layer.moving_variance, layer(x, training=False)]
    return [np.asarray(keras.ops.cast(part, "float32")) for part in parts], y.dtype


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2e-5), ("mixed_bfloat16", 2e-2)])
def test_fused_batch_norm_equals_keras_own(dtype, error):
    found, kind = learned(FusedBatchNorm, dtype)
    expected, kind_expected = learned(keras.layers.BatchNormalization, dtype)
    assert kind == kind_expected
    names = ["output", "by input", "by scale", "by offset", "mean", "variance", "drawn"]
    for name, one, other in zip(names, found, expected, strict=True):
        assert np.allclose(one, other, atol=error * max(1.0, np.abs(other).max())), name


def test_moving_statistics_follow_the_batch_by_momentum():
    layer = FusedBatchNorm(momentum=0.75, epsilon=1e-5)
    layer(X, training=True)
    assert np.allclose(layer.moving_mean, 0.25 * X.mean(axis=(0, 1, 2)), atol=1e-5)
    assert np.allclose(layer.moving_variance, 0.75 + 0.25 * X.var(axis=(0, 1, 2)), atol=1e-4)


def test_inference_does_not_change_the_statistics():
    layer = FusedBatchNorm()
    layer(X, training=False)
    assert not np.asarray(layer.moving_mean).any()
