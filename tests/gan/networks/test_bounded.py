import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks.layers import Bounded

KINDS = {"conv": (4, 2), "up": (4, 2), "dense": (0, 0)}
SHAPES = {"conv": (2, 8, 8, 3), "up": (2, 4, 4, 3), "dense": (5, 7)}


def inputs(kind: str) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(SHAPES[kind]).astype(np.float32)


def make_layer(kind: str, rule: str, *, width: int = 6, **more) -> Bounded:
    """A built layer with a large random kernel."""
    side, stride = KINDS[kind]
    options = {"kernel_size": side, "strides": stride, "use_bias": True, "kernel_initializer": "zeros"}
    layer = Bounded(kind, width, rule=rule, **options | more)
    layer(inputs(kind))
    layer.free.assign(np.random.default_rng(4).standard_normal(layer.free.shape).astype(np.float32) * 3)
    layer.init_norms()
    return layer


def matrix(kernel: np.ndarray, kind: str) -> np.ndarray:
    """The kernel as a matrix (outputs, rest); Keras' transposed kernels have outputs before inputs."""
    kernel = np.asarray(kernel, float)
    rows = np.moveaxis(kernel, -2 if kind == "up" else -1, 0)
    return rows.reshape(len(rows), -1)


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_norm_makes_the_largest_singular_value_1(kind):
    layer = make_layer(kind, "spectral")
    for _ in range(100):
        layer.power_iteration()
    values = np.linalg.svd(matrix(layer.kernel, kind))[1]
    assert values[0] == pytest.approx(1, abs=1e-4)
    free = np.linalg.svd(matrix(layer.free, kind))[1]
    assert np.allclose(values, free / free[0], atol=1e-4)


def test_one_power_iteration_per_step_follows_a_slowly_changing_kernel():
    layer = make_layer("conv", "spectral")
    rng = np.random.default_rng(5)
    for _ in range(50):
        layer.free.assign(layer.free + rng.standard_normal(layer.free.shape) * 0.01)
        layer.power_iteration()
    assert np.linalg.svd(matrix(layer.kernel, "conv"))[1][0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_calling_a_bounded_layer_changes_no_state(kind):
    layer = make_layer(kind, "spectral")
    before = layer.get_weights()
    layer(inputs(kind), training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", ["spectral", "weight"])
def test_bounded_layer_equals_keras_layer_with_the_normalised_kernel(kind, rule):
    layer = make_layer(kind, rule)
    layer.bias.assign(np.arange(6, dtype=np.float32))
    own = {
        "conv": lambda: keras.layers.Conv2D(6, 4, strides=2, padding="same"),
        "up": lambda: keras.layers.Conv2DTranspose(6, 4, strides=2, padding="same"),
        "dense": lambda: keras.layers.Dense(6),
    }[kind]()
    own.build(SHAPES[kind])
    own.set_weights([np.asarray(layer.kernel), np.asarray(layer.bias)])
    expected = np.asarray(own(inputs(kind)))
    assert layer.compute_output_shape(SHAPES[kind]) == expected.shape
    assert np.allclose(layer(inputs(kind)), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_weight_norm_starts_as_the_free_kernel_and_learns_lengths(kind):
    layer = make_layer(kind, "weight")
    assert np.allclose(layer.kernel, layer.free, atol=1e-5)
    layer.length.assign(np.arange(1, 7, dtype=np.float32))
    assert np.allclose(np.linalg.norm(matrix(layer.kernel, kind), axis=1), np.arange(1, 7), atol=1e-4)
    layer.free.assign(layer.free * 5.0)  # the direction alone counts
    assert np.allclose(np.linalg.norm(matrix(layer.kernel, kind), axis=1), np.arange(1, 7), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", ["spectral", "weight"])
def test_gradient_flows_through_the_norm(kind, rule):
    tf = pytest.importorskip("tensorflow")
    layer, x = make_layer(kind, rule), inputs(kind)
    for _ in range(200):
        layer.power_iteration()  # converge to the singular vector
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    gradient = np.asarray(tape.gradient(loss, layer.free.value))
    direction = np.random.default_rng(6).standard_normal(gradient.shape).astype(np.float32)
    start, ends = layer.free.numpy(), []
    for step in (1e-2, -1e-2):
        layer.free.assign(start + step * direction)
        for _ in range(200):
            layer.power_iteration()
        ends.append(float(tf.reduce_sum(layer(x) ** 2)))
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=2e-2, abs=1e-2)
    # scaling the free kernel does not change the loss
    assert abs((gradient * start).sum()) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(start)


def test_norms_are_float32_in_a_bfloat16_layer():
    wide, narrow = (make_layer("conv", "spectral", dtype=dtype) for dtype in ("float32", "mixed_bfloat16"))
    y = narrow(inputs("conv"))
    assert y.dtype == "bfloat16"
    exact = keras.ops.conv(
        keras.ops.cast(inputs("conv"), "bfloat16"), keras.ops.cast(wide.kernel, "bfloat16"), strides=2, padding="same"
    )
    assert np.array_equal(np.asarray(keras.ops.cast(y, "float32")), np.asarray(keras.ops.cast(exact, "float32")))


@pytest.mark.parametrize("rule", ["spectral", "weight"])
def test_gated_layer_starts_at_zero_and_can_learn(rule):
    layer = make_layer("conv", rule, gated=True, use_bias=False)
    assert not np.asarray(layer(inputs("conv"))).any()
    layer.gate.assign(2.0)
    assert np.allclose(layer.kernel, 2 * np.asarray(make_layer("conv", rule).kernel), atol=1e-5)


def test_bounded_layer_is_restored_from_its_config():
    layer = make_layer("up", "weight", gated=True)
    again = Bounded.from_config(layer.get_config())
    again(inputs("up"))
    again.set_weights(layer.get_weights())
    assert np.array_equal(again(inputs("up")), layer(inputs("up")))
