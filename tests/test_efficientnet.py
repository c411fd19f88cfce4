"""The blocks of EfficientNet-Lite."""

import keras
import numpy as np
import pytest

from pipeline.efficientnet import EPSILON, LITE0, LITE1, Block, apply_block


def some_arrays(rng, *, channels, hidden, kernel):
    sizes = {
        "x._expand_conv": (hidden, channels, 1, 1),
        "x._depthwise_conv": (hidden, 1, kernel, kernel),
        "x._project_conv": (channels, hidden, 1, 1),
    }
    arrays = {f"{name}.weight": rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    for norm, count in (("x._bn0", hidden), ("x._bn1", hidden), ("x._bn2", channels)):
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{norm}.{part}"] = rng.uniform(0.5, 1.5, count).astype(np.float32)
    return arrays


@pytest.mark.parametrize("adds", [True, False])
def test_a_block_computes_what_its_definition_says(adds):
    rng = np.random.default_rng(0)
    arrays = some_arrays(rng, channels=2, hidden=6, kernel=3)
    inputs = keras.Input((5, 5, 2))
    block = Block(kernel=3, stride=1, expand=3, channels=2, adds=adds)
    maps = rng.normal(size=(1, 5, 5, 2)).astype(np.float32)
    found = keras.Model(inputs, apply_block(inputs, arrays, "x", block)).predict_on_batch(maps)

    def normalize(values, name):
        scaled = (values - arrays[f"{name}.running_mean"]) / np.sqrt(arrays[f"{name}.running_var"] + EPSILON)
        return scaled * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]

    hidden = np.clip(normalize(maps @ arrays["x._expand_conv.weight"][:, :, 0, 0].T, "x._bn0"), 0, 6)
    around, kernel = np.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0))), arrays["x._depthwise_conv.weight"][:, 0]
    depth = sum(around[:, y : y + 5, x : x + 5] * kernel[:, y, x] for y in range(3) for x in range(3))
    depth = np.clip(normalize(depth, "x._bn1"), 0, 6)
    expected = normalize(depth @ arrays["x._project_conv.weight"][:, :, 0, 0].T, "x._bn2")
    assert np.allclose(found, expected + maps * adds, atol=1e-4)


@pytest.mark.parametrize(
    ("blocks", "channels", "halving"),
    [
        (LITE0, [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112], [1, 3, 5]),
        (LITE1, [16, 24, 24, 24, 40, 40, 40, 80, 80, 80, 80, 112, 112, 112, 112], [1, 4, 7]),
    ],
    ids=["Lite0", "Lite1"],
)
def test_the_blocks_are_those_of_the_published_networks(blocks, channels, halving):
    assert [block.channels for block in blocks] == channels
    assert [number for number, block in enumerate(blocks) if block.stride == 2] == halving
