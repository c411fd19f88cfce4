"""Steps of a multi-scale GAN: all sides learn at once, by one loss of one discriminator."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.config import read_definition
from pipeline.gan.networks.pyramid import pyramid
from pipeline.gan.sampling import draw_scales, fixed_latents
from pipeline.gan.training.backend_tensorflow import TapeAutodiff
from pipeline.gan.training.losses import between, one_centred, zero_centred
from tests.gan.networks.test_pyramid import means
from tests.gan.step_runner import BATCH, StepRunner, define, same

tf = pytest.importorskip("tensorflow")

PRESETS = Path(__file__).parents[3] / "models"
PLAIN = {"norm": "none", "initial": "he"}
QUIET = {"multi_scale": True, "augment": {"policies": []}}
SIDES = [4, 8, 16]
# Between them, every other part of a definition
OTHERS = {
    "attention, spectral norm, stddev": {
        "generator": {"weights": "spectral", "attention": [8]},
        "discriminator": PLAIN | {"weights": "spectral", "attention": [4, 8], "minibatch": "stddev"},
        "loss": "hinge",
        "augment": {"flip": "always", "target": 0},
        "balance": {"discriminator_steps": 2},
    },
    "residual, relativistic, R1 and R2": {
        "generator": PLAIN | {"blocks": "residual", "upsample": "resize"},
        "discriminator": PLAIN | {"blocks": "residual"},
        "loss": "relativistic",
        "penalties": {"r1": {"weight": 1}, "r2": {"weight": 1}},
    },
    "weight norm, discrimination, matching": {
        "generator": {"norm": "layer", "weights": "weight"},
        "discriminator": {"norm": "none", "weights": "weight", "minibatch": "discrimination"},
        "loss": "least_squares",
        "feature_matching": 1.0,
        "smoothing": {"real": 0.1},
    },
    "clipping": {
        "discriminator": {"norm": "none", "optimizer": {"name": "rmsprop"}},
        "loss": "wasserstein",
        "penalties": {"clip": 0.05},
    },
}


def step_inputs(runner: StepRunner):
    """The reals and fakes of step 0 at every side, and its positions between them."""
    inputs = runner.step_planner.inputs(0)
    reals = pyramid(tf.constant(inputs.reals[0].astype(np.float32) / 127.5 - 1), SIDES)
    fakes = runner.state.generator.at(0, fading=False)(inputs.noise.latents[0], training=True)
    return reals, fakes, inputs.noise.mix[0]


@pytest.fixture(scope="module")
def default_run():
    """The defaults with every side: arrays before any step, after two and after four, and the metrics."""
    runner = StepRunner(define({"multi_scale": True}))
    start, first = runner.state.arrays(), runner.run(range(2))
    half = runner.state.arrays()
    return runner, start, half, first + runner.run(range(2, 4))


def test_gradient_reaches_every_output_head():
    """By G's own loss: the gradient by the picture of each side, and so by the kernel of its head."""
    runner = StepRunner(define(QUIET))
    state, autodiff = runner.state, TapeAutodiff()
    latents = runner.step_planner.inputs(0).noise.latents[0]
    generator, judge = (network.at(0, fading=False) for network in (state.generator, state.discriminator))
    kernels = [state.generator.layers.get(f"head_{i}").kernel for i in range(3)]
    fakes = generator(latents, training=True)
    _, slopes = autodiff.input_gradient(lambda x: (tf.reduce_mean(tf.nn.softplus(-judge(x)[0])), None), fakes)
    assert [slope.shape[1] for slope in slopes] == SIDES
    for number, slope in enumerate(slopes):
        assert (np.abs(slope).max(axis=(1, 2, 3)) > 0).all()
        _, backward = autodiff.vjp(lambda: generator(latents, training=True), kernels)
        alone = backward(tuple(each if i == number else tf.zeros_like(each) for i, each in enumerate(slopes)))
        reached = [bool(np.abs(each).max() > 0) for each in alone]
        assert reached == [i == number for i in range(3)]  # each picture moves its own head, and no other


def test_every_head_and_every_join_learns(default_run):
    runner, start, half, _ = default_run
    for part, layers in (("generator", ["head_0", "head_1", "head_2"]), ("discriminator", ["join_0", "join_1"])):
        network = getattr(runner.state, part)
        paths = [variable.path for variable in network.variables]
        for name in layers:
            index = paths.index(f"{name}/kernel")
            assert not np.array_equal(start[f"{part}/{index:03d}"], half[f"{part}/{index:03d}"]), name


def test_restored_state_continues_bit_identically(default_run):
    runner, _, half, metrics = default_run
    resumed = StepRunner(runner.definition, start=half)
    assert resumed.run(range(2, 4)) == metrics[2:]
    assert same(resumed.state.arrays(), runner.state.arrays())


def test_average_follows_every_head(default_run):
    """It begins at the generator's weights, and lies between them and those that have been learned since."""
    runner, start, *_ = default_run
    paths = [variable.path for variable in runner.state.generator.variables]
    for number in range(len(SIDES)):
        began = start[f"generator/{paths.index(f'head_{number}/kernel'):03d}"]
        layers = [network.layers.get(f"head_{number}") for network in (runner.state.average, runner.state.generator)]
        averaged, learning = (np.asarray(layer.kernel) for layer in layers)
        assert 0 < np.abs(averaged - learning).mean() < np.abs(began - learning).mean(), number


@pytest.mark.long
def test_the_preset_stays_finite_at_128_px():
    definition = read_definition(PRESETS / "multi-scale.json").model_copy(update={"batch": BATCH})
    runner = StepRunner(definition, size=128)
    assert np.isfinite([[*each.values()] for each in runner.run(range(40))]).all()
    assert all(np.isfinite(array).all() for array in runner.state.arrays().values())


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_every_other_part_of_a_definition_works_with_it(name):
    runner = StepRunner(define(OTHERS[name] | {"multi_scale": True}), size=24)
    before = runner.state.arrays()
    assert np.isfinite([[*each.values()] for each in runner.run(range(2))]).all()
    after = runner.state.arrays()
    for part in ("generator", "discriminator"):
        paths = [variable.path for variable in getattr(runner.state, part).variables]
        coarsest = next(i for i, path in enumerate(paths) if path.startswith(("head_0/", "join_0/")))
        assert not np.array_equal(before[f"{part}/{coarsest:03d}"], after[f"{part}/{coarsest:03d}"])


def test_discriminator_sees_reals_brought_down_by_means():
    """Its loss is that of reals at every side and of fakes as the generator gives them."""
    runner = StepRunner(define(QUIET | {"discriminator": PLAIN}))
    reals, fakes, _ = step_inputs(runner)
    pixels = runner.step_planner.inputs(0).reals[0].astype(np.float32) / 127.5 - 1
    assert all(np.allclose(real, means(pixels, side), atol=1e-6) for real, side in zip(reals, SIDES, strict=True))
    judge = runner.state.discriminator.at(0, fading=False)
    real, fake = (np.asarray(judge(pictures)[0], float) for pictures in (reals, fakes))
    expected = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    assert runner.run([0])[0]["d_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("penalty", ["r1", "r2", "gradient"])
def test_penalty_is_on_the_slope_over_all_sides_together(penalty):
    runner = StepRunner(define(QUIET | {"discriminator": PLAIN, "penalties": {penalty: {"weight": 3}}}))
    reals, fakes, mix = step_inputs(runner)
    judge = runner.state.discriminator.at(0, fading=False)
    where = {"r1": reals, "r2": fakes, "gradient": between(reals, fakes, mix)}[penalty]
    with tf.GradientTape() as tape:
        tape.watch(where)
        total = tf.reduce_sum(judge(where)[0])
    slopes = [np.asarray(slope, float) for slope in tape.gradient(total, where)]
    squared = sum((slope**2).sum(axis=(1, 2, 3)) for slope in slopes)
    assert all((slope**2).sum() > 0 for slope in slopes)
    expected = ((np.sqrt(squared) - 1) ** 2).mean() if penalty == "gradient" else squared.mean() / 2
    assert runner.run([0])[0]["d_penalty"] == pytest.approx(3 * expected, rel=1e-4)


def test_penalty_of_one_side_is_that_of_an_ordinary_gan():
    slopes = np.random.default_rng(0).standard_normal((5, 4, 4, 3)).astype(np.float32)
    still = np.zeros((5, 2, 2, 3), np.float32)
    for rule in (zero_centred, one_centred):
        assert float(rule((still, slopes))) == pytest.approx(float(rule(slopes)), rel=1e-6)
    assert float(zero_centred((slopes, slopes))) == pytest.approx(2 * float(zero_centred(slopes)), rel=1e-6)


def disagreement(runner: StepRunner) -> float:
    """How far the coarse pictures are from the fine ones of the same latents, relative to those of other latents."""
    scales = draw_scales(runner.state.average.at(0, fading=False), fixed_latents(64, size=6, seed=7))
    fine = scales[-1].astype(np.float32)
    ratios = []
    for coarse in scales[:-1]:
        expected = means(fine, coarse.shape[1])
        own, others = (np.abs(coarse - each).mean() for each in (expected, np.roll(expected, 1, axis=0)))
        ratios.append(own / others)
    return max(ratios)


@pytest.mark.long
def test_scales_agree_after_training():
    width = {"width": 16, "max_width": 32}
    tree = {"generator": width | {"norm": "layer"}, "discriminator": PLAIN | width, "batch": 16}
    runner = StepRunner(
        define(QUIET | tree | {"penalties": {"r1": {"weight": 0.3, "every": 4}}}), steps=200, traced=True
    )
    before = disagreement(runner)
    runner.run(range(200))
    assert before > 0.9
    assert disagreement(runner) < 0.65
