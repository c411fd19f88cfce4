"""A vision-aided discriminator judges by itself and by heads on the maps of a frozen network."""

import cv2
import numpy as np
import pytest

from pipeline import efficientnet
from pipeline.devices import keras
from pipeline.efficientnet import LITE1
from pipeline.errors import UserError
from pipeline.gan.frozen_network import require_weights
from pipeline.gan.networks.pyramid import as_judged
from pipeline.gan.networks.vision_aid import BLOCKS, build_vision_aid
from pipeline.gan.training.losses import find_loss
from pipeline.gan.training.state import TrainState
from pipeline.store.torch_file import read_arrays
from tests.gan.step_runner import StepRunner, define, same
from tests.long_values import and_long

AIDED = {"discriminator": {"norm": "none", "initial": "he", "vision_aided": True}}
QUIET = {"augment": {"policies": []}}


def random_pictures(count: int, size: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, size, size, channels)).astype(np.float32)


def logits(aid, pictures) -> np.ndarray:
    return np.asarray(aid.logits(keras.ops.convert_to_tensor(pictures), training=False))


@pytest.mark.parametrize(
    ("size", "side"), [(16, 64), (28, 56), (40, 40), (64, 64), (96, 96), (128, 128), (192, 96), (512, 128)]
)
def test_the_frozen_network_sees_40_to_128_px(size, side):
    aid = build_vision_aid(define(AIDED), size=size, seed=0)
    assert aid.frozen.input_shape == (None, side, side, 3)


def test_a_larger_picture_is_judged_by_its_means_and_a_smaller_one_enlarged():
    aid, pictures = build_vision_aid(define(AIDED), size=256, seed=0), random_pictures(2, 256)
    small = pictures.reshape(2, 128, 2, 128, 2, 3).mean((2, 4))
    assert logits(aid, pictures) == pytest.approx(logits(aid, small), abs=1e-4)
    coarse = small.reshape(2, 64, 2, 64, 2, 3).mean((2, 4))
    enlarged = np.stack([cv2.resize(each, (128, 128), interpolation=cv2.INTER_LINEAR) for each in coarse])
    assert logits(aid, coarse) == pytest.approx(logits(aid, enlarged), abs=1e-3)


def test_a_grey_picture_is_one_with_three_equal_channels():
    aid, grey = build_vision_aid(define(AIDED), size=32, seed=0), random_pictures(3, 32, 1)
    assert logits(aid, grey).shape == (3, len(BLOCKS))
    assert np.array_equal(logits(aid, grey), logits(aid, grey.repeat(3, axis=-1)))


def test_the_maps_are_those_of_the_network_normalised_by_its_statistics():
    aid, pictures = build_vision_aid(define(AIDED), size=64, seed=0), random_pictures(2, 64)
    weights = require_weights()
    arrays = read_arrays(weights.path, sha256=weights.digest)
    inputs = keras.Input((64, 64, 3))
    whole = keras.Model(inputs, efficientnet.maps_of(inputs, arrays, LITE1))
    given = efficientnet.prepare((pictures + 1) * 127.5)
    maps = [np.asarray(each) for each in whole(given, training=False)][1:]
    for found, block in zip(aid.frozen(given, training=False), BLOCKS, strict=True):
        mean, deviation = efficientnet.statistics(arrays, block, LITE1)
        assert np.asarray(found) == pytest.approx((maps[block] - mean) / (deviation + 1e-3), abs=1e-3)


def test_heads_learn_with_the_discriminator_and_the_frozen_network_never_changes():
    runner = StepRunner(define(AIDED))
    aid = runner.state.vision_aid
    before, frozen = runner.state.arrays(), [np.array(each) for each in aid.frozen.variables]
    assert frozen
    assert not aid.frozen.trainable_variables
    assert all(any(each is mine for mine in runner.state.trained_with_discriminator) for each in aid.variables)
    runner.run([0])
    after = runner.state.arrays()
    heads = [name for name in before if name.startswith("vision_aid/")]
    assert len(heads) == len(aid.variables)
    assert not any(np.array_equal(before[name], after[name]) for name in heads)
    assert all(map(np.array_equal, frozen, aid.frozen.variables))
    runner.run([1], learn=False)
    assert all(np.array_equal(after[name], runner.state.arrays()[name]) for name in heads)


@pytest.mark.parametrize(
    "more", and_long([{}], long=[{"multi_scale": True}, {"loss": "hinge"}, {"loss": "relativistic"}]), ids=str
)
def test_six_tenths_of_the_loss_are_of_the_discriminator_itself(more):
    runner = StepRunner(define(AIDED | QUIET | more))
    state, inputs = runner.state, runner.step_planner.inputs(0).arrays()
    fakes = state.generator.at(0, fading=False)(inputs["latents"][0], training=True)
    reals = inputs["reals"][0].astype(np.float32) / np.float32(127.5) - 1
    pairs = []
    discriminator = state.discriminator.at(0, fading=False)
    for pictures in (as_judged(discriminator, keras.ops.convert_to_tensor(reals)), fakes):
        own = np.asarray(discriminator(pictures, training=True)[0])
        full = pictures[-1] if isinstance(pictures, tuple | list) else pictures
        pairs.append([own, *np.split(logits(state.vision_aid, full), len(BLOCKS), axis=1)])
    loss, smoothing = find_loss(runner.definition.loss), runner.definition.smoothing
    losses = [float(loss.discriminator(real, fake, smoothing)) for real, fake in zip(*pairs, strict=True)]
    (metrics,) = runner.run([0])
    assert metrics["d_loss"] == pytest.approx(0.6 * losses[0] + 0.4 * np.mean(losses[1:]), rel=1e-4)


def test_the_generator_learns_from_the_heads():
    """A discriminator that is always 0 teaches nothing; the heads do."""
    runner = StepRunner(define(AIDED | QUIET))
    for variable in runner.state.discriminator.variables:
        variable.assign(np.zeros(variable.shape))
    (metrics,) = runner.run([0], learn=False)
    assert metrics["g_gradient"] > 0


def test_penalties_are_on_the_discriminator_itself():
    r1 = {"penalties": {"r1": {"weight": 1}, "lecam": {"weight": 1}}}
    plain = AIDED | {"discriminator": AIDED["discriminator"] | {"vision_aided": False}}
    metrics = [StepRunner(define(tree | QUIET | r1)).run([0])[0] for tree in (AIDED, plain)]
    assert metrics[0]["d_penalty"] == pytest.approx(metrics[1]["d_penalty"], rel=1e-5)


def test_augmentation_follows_the_discriminator_itself():
    """Heads that call all pictures real do not raise the strength while the discriminator itself is unsure."""
    runner = StepRunner(define(AIDED | {"augment": {"target": 0.6, "ramp": 100}}))
    for variable in runner.state.discriminator.variables:
        variable.assign(np.zeros(variable.shape))
    for head in runner.state.vision_aid.heads:
        head.layers[-1].bias.assign([9.0])
    runner.run(range(2), learn=False)
    assert float(runner.state.strength) == 0
    runner.state.discriminator.layers.get("logit").bias.assign([9.0])
    runner.run(range(2), learn=False)
    assert float(runner.state.strength) > 0


def test_resumed_steps_are_bit_identical():
    tree = {"discriminator": {"vision_aided": True}}  # batch norm in the heads too
    runner = StepRunner(define(tree))
    runner.run(range(2))
    half = runner.state.arrays()
    metrics = runner.run(range(2, 4))
    resumed = StepRunner(define(tree), start=half)
    assert resumed.run(range(2, 4)) == metrics
    assert same(resumed.state.arrays(), runner.state.arrays())


def test_networks_of_a_training_without_aid_can_begin_one_with_it():
    plain = TrainState(define(), size=16, channels=3, seed=3)
    aided = TrainState(define({"discriminator": {"vision_aided": True}}), size=16, channels=3, seed=0)
    heads = aided.arrays()
    assert aided.restore_networks(plain.arrays())
    assert np.array_equal(aided.arrays()["discriminator/000"], plain.arrays()["discriminator/000"])
    assert np.array_equal(aided.arrays()["vision_aid/000"], heads["vision_aid/000"])
    again = TrainState(define({"discriminator": {"vision_aided": True}}), size=16, channels=3, seed=7)
    assert again.restore_networks(aided.arrays())  # and its heads are used where there are any
    assert np.array_equal(again.arrays()["vision_aid/000"], heads["vision_aid/000"])
    assert plain.restore_networks(aided.arrays())


def test_without_the_package_the_error_names_it(no_package):
    with pytest.raises(UserError, match=r"vision_aided: the package not-installed,.* in the version .*false"):
        TrainState(define(AIDED), size=16, channels=3, seed=0)
