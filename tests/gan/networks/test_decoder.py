"""The discriminator keeps what reals show, as decoders reconstruct them from its feature maps."""

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import build_discriminator
from pipeline.gan.networks.decoder import build_decoders
from tests.gan.step_runner import StepRunner, define

RECONSTRUCTING = {"discriminator": {"norm": "none", "initial": "he", "reconstruction": 1.0}}


def decoders(size: int):
    return build_decoders(define(RECONSTRUCTING), size=size, channels=3, seed=0, dtype="float32")


@pytest.mark.parametrize(
    ("size", "maps", "whole", "part"),
    [(16, [8], 16, None), (32, [8, 16], 32, 16), (64, [8, 16], 32, 32), (96, [12, 24], 48, 48), (128, [8, 16], 32, 32)],
)
def test_sides_of_what_is_decoded(size, maps, whole, part):
    given = decoders(size)
    outputs = build_discriminator(define(RECONSTRUCTING), size=size, channels=3, seed=0).whole.outputs
    assert [output.shape[1] for output in outputs[2:]] == maps
    assert given.whole.output_shape == (None, whole, whole, 3)
    assert (given.part and given.part.output_shape) == (part and (None, part, part, 3))


@pytest.mark.parametrize(("draw", "rows", "columns"), [(0.1, 0, 0), (0.3, 0, 1), (0.6, 1, 0), (0.99, 1, 1)])
def test_the_error_is_that_of_the_whole_and_of_the_drawn_quadrant(draw, rows, columns):
    given, random = decoders(64), np.random.default_rng(0)
    reals = random.uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    maps = [
        random.standard_normal((2, *model.input_shape[1:])).astype(np.float32) for model in (given.whole, given.part)
    ]
    maps[1] = np.tile(maps[1], (1, 2, 2, 1)) * np.repeat(np.repeat([[1, 2], [3, 4]], 8, 0), 8, 1)[None, ..., None]
    maps[1] = maps[1].astype(np.float32)
    coarse = reals.reshape(2, 32, 2, 32, 2, 3).mean((2, 4))
    quadrant = (slice(None), slice(8 * rows, 8 * rows + 8), slice(8 * columns, 8 * columns + 8))
    picture = reals[:, 32 * rows : 32 * rows + 32, 32 * columns : 32 * columns + 32]
    expected = np.square(np.asarray(given.whole(maps[0])) - coarse).mean()
    expected += np.square(np.asarray(given.part(maps[1][quadrant])) - picture).mean()
    found = given.error(keras.ops.convert_to_tensor(reals), [*map(keras.ops.convert_to_tensor, maps)], np.float32(draw))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_training_reconstructs_better():
    quiet = {"augment": {"policies": []}, "generator": {"optimizer": {"learning_rate": 1e-8}}}
    runner = StepRunner(define(RECONSTRUCTING | quiet), size=32, traced=True)
    penalties = [each["d_penalty"] for each in runner.run(range(60))]
    assert np.mean(penalties[-5:]) < 0.6 * np.mean(penalties[:5])


def test_spectral_norm_of_the_decoders_follows_their_kernels():
    spectral = {"norm": "none", "weights": "spectral", "reconstruction": 1.0}
    runner = StepRunner(define({"discriminator": spectral}), size=32)
    before = [np.array(layer.left) for layer in runner.state.decoders.layers.bounded]
    runner.run([0, 1])
    after = [np.array(layer.left) for layer in runner.state.decoders.layers.bounded]
    assert before
    assert not any(map(np.array_equal, before, after))


def test_an_exported_or_plain_discriminator_has_no_maps():
    options = {"size": 32, "channels": 3, "seed": 0}
    assert len(build_discriminator(define(RECONSTRUCTING), **options, keras_only=True).whole.outputs) == 2
    assert len(build_discriminator(define(), **options).whole.outputs) == 2
    assert "decoders/000" not in StepRunner(define()).state.arrays()
