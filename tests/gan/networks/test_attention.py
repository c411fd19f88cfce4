import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.config import Generator
from pipeline.gan.networks.builder import LayerFactory, self_attention

X = np.random.default_rng(8).standard_normal((2, 6, 4, 16)).astype(np.float32)


def make_model(weights: str = "free") -> tuple[keras.Model, LayerFactory]:
    layers = LayerFactory(Generator(weights=weights, norm="none", initial="he"), role="test", seed=0, dtype="float32")
    x = keras.Input(X.shape[1:])
    return keras.Model(x, self_attention(layers, x, name="a")), layers


@pytest.mark.parametrize("weights", ["free", "spectral", "weight"])
def test_self_attention_starts_as_identity_and_can_learn(weights):
    tf = pytest.importorskip("tensorflow")
    model, layers = make_model(weights)
    with tf.GradientTape() as tape:
        y = model(X)
        loss = tf.reduce_sum(y**3)
    assert np.array_equal(y, X)
    variables = layers.get("a_out").trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    assert max(np.abs(np.asarray(gradient)).max() for gradient in gradients) > 0.1


def test_self_attention_is_softmax_over_all_positions():
    model, layers = make_model()
    out = layers.get("a_out")
    out.kernel.assign(np.random.default_rng(9).standard_normal(out.kernel.shape))
    kernels = {name: np.asarray(layers.get(f"a_{name}").kernel, float)[0, 0] for name in ("query", "key", "value")}

    def pooled(maps):
        return maps.reshape(2, 3, 2, 2, 2, -1).max(axis=(2, 4)).reshape(2, 6, -1)

    wide = X.astype(float)
    query = (wide @ kernels["query"]).reshape(2, 24, -1)
    key, value = pooled(wide @ kernels["key"]), pooled(wide @ kernels["value"])
    likeness = np.exp(query @ key.transpose(0, 2, 1))
    projected = likeness / likeness.sum(axis=2, keepdims=True) @ value
    expected = wide + (projected @ np.asarray(out.kernel, float)[0, 0]).reshape(X.shape)
    assert np.allclose(model(X), expected, atol=1e-3)
