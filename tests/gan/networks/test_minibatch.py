import numpy as np
import pytest

from pipeline.gan.networks.layers import MinibatchDiscrimination, MinibatchStddev


def features(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 3), (10, 2), (7, 7), (4, 4), (1, 1)])
def test_minibatch_stddev_is_computed_per_group(batch, group):
    x = features(batch, 4, 4, 3)
    y = np.asarray(MinibatchStddev()(x))
    assert np.array_equal(y[..., :3], x)
    expected = np.empty(batch)
    for first in range(batch // group):
        members = range(first, batch, batch // group)  # i, i + B/G, i + 2B/G, ...
        expected[list(members)] = np.sqrt(x[list(members)].astype(float).var(axis=0) + 1e-8).mean()
    assert np.allclose(y[..., 3], expected[:, None, None], atol=1e-5)


def test_minibatch_stddev_of_identical_pictures_is_zero():
    assert np.asarray(MinibatchStddev()(np.ones((8, 4, 4, 2), np.float32)))[..., 2].max() < 2e-4


def test_minibatch_discrimination_sums_over_all_other_pictures():
    x = features(5, 12)
    layer = MinibatchDiscrimination(kernels=3, views=2)
    layer.build((None, 12))
    layer.tensor.assign(features(12, 6) * 0.1)
    y = np.asarray(layer(x))
    projected = (x.astype(float) @ np.asarray(layer.tensor)).reshape(5, 3, 2)
    expected = np.array([
        [sum(np.exp(-np.abs(projected[i, k] - projected[j, k]).sum()) for j in range(5) if j != i) for k in range(3)]
        for i in range(5)
    ])  # fmt: skip
    assert np.array_equal(y[:, :12], x)
    assert np.allclose(y[:, 12:], expected, atol=1e-5)


def test_minibatch_discrimination_counts_identical_pictures():
    layer = MinibatchDiscrimination(kernels=3, views=2)
    layer.build((None, 12))
    layer.tensor.assign(features(12, 6) * 50)
    alike = np.repeat(features(1, 12), 3, axis=0)
    y = np.asarray(layer(np.concatenate([alike, -10 * alike[:1]])))
    assert np.allclose(y[:3, 12:], 2, atol=1e-4)
    assert np.allclose(y[3, 12:], 0, atol=1e-4)


@pytest.mark.parametrize("layer", [MinibatchStddev(), MinibatchDiscrimination(kernels=3)], ids=["stddev", "nearness"])
def test_minibatch_layers_compute_their_output_shape(layer):
    shape = (8, 4, 4, 5) if isinstance(layer, MinibatchStddev) else (8, 5)
    assert layer(features(*shape)).shape == layer.compute_output_shape(shape)
