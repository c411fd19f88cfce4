from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.config import read_definition
from tests.gan.step_runner import BATCH, StepRunner, define, same
from tests.gan.training.step_definitions import PLAIN
from tests.long_values import and_long

PRESETS = sorted(path for path in (Path(__file__).parents[3] / "models").glob("*.json") if path.stem != "schema")
# They have no part which another one lacks, or tests/gan/training/test_backends.py takes their steps
LIKE_OTHERS = {"dcgan", "dcgan-128", "lsgan", "sn-hinge", "wgan-gp", "wide"}
# Between them, all that a step hands on to the next one
LASTING = {
    "adaptive and scheduled": {
        "augment": {"target": 0.6, "ramp": 100},
        "generator": {"optimizer": {"schedule": {"kind": "cosine", "warmup": 20}}},
        "discriminator": {"optimizer": {"name": "rmsprop"}},
        "penalties": {"lecam": {"weight": 0.3}},
    },
    "spectral and growing": {
        "generator": {"weights": "spectral", "norm": "layer"},
        "discriminator": PLAIN | {"weights": "spectral", "minibatch": "stddev"},
        "loss": "hinge",
        "growing": {"start": 8, "fade": 32, "hold": 8},
    },
    "reconstructing": {"discriminator": {"reconstruction": 1.0}},
}
FADING = range(1, 5)  # steps while a side fades in
BARE = {"augment": {"policies": []}}


def descent(rate: float, **more) -> dict:
    """A network with plain gradient descent."""
    return {"norm": "none", "initial": "he", "optimizer": {"name": "sgd", "learning_rate": rate, "beta_1": 0.0}} | more


def moved(before: dict, after: dict, part: str) -> set[str]:
    """The arrays of `part` that have changed."""
    return {name for name in before if name.startswith(part) and not np.array_equal(before[name], after[name])}


def learned(runner: StepRunner, part: str) -> set[str]:
    """The arrays of `part` that its optimizer updates."""
    variables = getattr(runner.state, part).variables
    return {f"{part}/{index:03d}" for index, variable in enumerate(variables) if variable.trainable}


def indifferent(runner: StepRunner) -> set[str]:
    """D's last bias: a loss of differences does not depend on it."""
    paths = [variable.path for variable in runner.state.discriminator.variables]
    return {f"discriminator/{paths.index('logit/bias'):03d}"}


@pytest.fixture(scope="module")
def default_run() -> tuple[dict, dict, dict, list]:
    """The defaults: arrays before any step, after two and after four steps, and the metrics of the four."""
    runner = StepRunner(define())
    start, first = runner.state.arrays(), runner.run(range(2))
    two, then = runner.state.arrays(), runner.run(range(2, 4))
    return start, two, runner.state.arrays(), first + then


@pytest.fixture(scope="module")
def half_run() -> Callable[[str], tuple[StepRunner, dict, list]]:
    """For a name in LASTING: the runner after four steps, the arrays after two, and the metrics of the four."""
    return cache(lambda name: _half_and_whole(StepRunner(define(LASTING[name]))))


def _half_and_whole(runner: StepRunner) -> tuple[StepRunner, dict, list]:
    first = runner.run(FADING[:2])
    return runner, runner.state.arrays(), first + runner.run(FADING[2:])


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem in LIKE_OTHERS)) for path in PRESETS],
)
def test_every_built_in_definition_trains(path):
    """As written, except for small batches; a growing GAN starts to grow at once."""
    definition = read_definition(path).model_copy(update={"batch": BATCH})
    if definition.growing.start:
        growing = definition.growing.model_copy(update={"fade": 2 * BATCH, "hold": BATCH})
        definition = definition.model_copy(update={"growing": growing})
    runner = StepRunner(definition, traced=True)
    before = runner.state.arrays()
    metrics = runner.run(range(3))
    after = runner.state.arrays()
    assert np.isfinite([list(each.values()) for each in metrics]).all()
    for part in ("generator", "discriminator"):
        assert learned(runner, part) - moved(before, after, part) <= indifferent(runner)
        assert metrics[-1][f"{part[0]}_gradient"] > 0
    assert moved(before, after, "average/")
    fading = [runner.plan(number).fading for number in range(3)]
    assert fading == [False, definition.growing.start > 0, definition.growing.start > 0]


def test_repeated_steps_are_bit_identical(default_run):
    runner = StepRunner(define())
    assert runner.run(range(2)) == default_run[3][:2]
    assert same(runner.state.arrays(), default_run[1])


@pytest.mark.parametrize("change", [{"seed": 1}, {"numbers": range(1, 3)}], ids=str)
def test_seed_and_step_number_change_the_result(default_run, change):
    runner = StepRunner(define(), seed=change.get("seed", 0), start=default_run[0])
    runner.run(change.get("numbers", range(2)))
    assert not same(runner.state.arrays(), default_run[1])


def test_restored_state_continues_bit_identically(default_run):
    runner = StepRunner(define(), start=default_run[1])
    assert runner.run(range(2, 4)) == default_run[3][2:]
    assert same(runner.state.arrays(), default_run[2])


@pytest.mark.parametrize("name", LASTING)
def test_restored_state_includes_all_that_lasts_between_steps(name, half_run):
    runner, half, metrics = half_run(name)
    resumed = StepRunner(runner.definition, start=half)
    assert resumed.run(FADING[2:]) == metrics[2:]
    assert same(resumed.state.arrays(), runner.state.arrays())


def test_state_of_another_network_is_refused(default_run):
    with pytest.raises(ValueError, match="shape"):
        StepRunner(define({"generator": {"width": 8}}), start=default_run[1])


def test_every_variable_changes_in_training(default_run):
    start, two, _, _ = default_run
    constant = {name for name in start if np.array_equal(start[name], two[name])}
    assert constant == {"generator_optimizer/001", "discriminator_optimizer/001"}  # the learning rates


@pytest.mark.parametrize(
    "loss", and_long(["non_saturating", "relativistic"], long=["minimax", "least_squares", "hinge"])
)
def test_each_network_descends_its_reported_loss(loss):
    """A small step along the gradient lowers the loss by its length times the squared norm of the gradient."""
    for part, rates in (("d", (1e-8, 1e-4)), ("g", (1e-4, 1e-8))):
        tree = {"generator": descent(rates[0]), "discriminator": descent(rates[1]), "loss": loss}
        first, again = StepRunner(define(BARE | tree)).run([0, 0])  # twice the same pictures
        expected = 1e-4 * first[f"{part}_gradient"] ** 2
        assert first[f"{part}_loss"] - again[f"{part}_loss"] == pytest.approx(expected, rel=0.1), part


def test_discriminator_learns_against_a_constant_generator():
    constant, learning = ({"width": 8, "optimizer": {"learning_rate": rate}} for rate in (1e-8, 2e-3))
    metrics = StepRunner(define({"generator": constant, "discriminator": learning}), traced=True).run(range(40))
    assert metrics[-1]["d_accuracy"] > 0.9
    assert metrics[-1]["d_loss"] < metrics[0]["d_loss"] / 2
    assert metrics[-1]["d_real"] > 0.7 > 0.3 > metrics[-1]["d_fake"]


def test_generator_learns_against_a_constant_discriminator():
    constant, learning = ({"width": 8, "optimizer": {"learning_rate": rate}} for rate in (1e-8, 2e-3))
    metrics = StepRunner(define({"generator": learning, "discriminator": constant}), traced=True).run(range(40))
    assert metrics[-1]["g_loss"] < metrics[0]["g_loss"] - 0.05


def test_relativistic_generator_loss_uses_the_updated_discriminator():
    tree = {"discriminator": descent(1.0), "generator": descent(1e-8), "loss": "relativistic"}
    runner = StepRunner(define(BARE | tree))
    inputs, state = runner.step_planner.inputs(0), runner.state
    reals = inputs.reals[0].astype(np.float32) / 127.5 - 1
    fakes = state.generator.whole(inputs.noise.latents[0])
    (metrics,) = runner.run([0])
    real, fake = (np.asarray(state.discriminator.whole(x)[0], float) for x in (reals, fakes))  # the updated D
    assert metrics["g_loss"] == pytest.approx(np.log1p(np.exp(real - fake)).mean(), rel=1e-4)
    assert metrics["g_loss"] > metrics["d_loss"] + 1e-3


def test_metrics_equal_those_computed_from_the_logits():
    tree = {"discriminator": PLAIN, "generator": {"norm": "none", "initial": "he"}}
    runner = StepRunner(define(BARE | tree))
    inputs, state = runner.step_planner.inputs(0), runner.state
    reals = inputs.reals[0].astype(np.float32) / 127.5 - 1
    real, fake = (
        np.asarray(state.discriminator.whole(x)[0], float)
        for x in (reals, state.generator.whole(inputs.noise.latents[0]))
    )
    metrics = runner.run([0])[0]

    def probability(logits):
        return 1 / (1 + np.exp(-logits))

    assert metrics["d_loss"] == pytest.approx(-np.log(probability(real)).mean() - np.log(probability(-fake)).mean())
    assert metrics["d_real"] == pytest.approx(probability(real).mean())
    assert metrics["d_fake"] == pytest.approx(probability(fake).mean())
    assert metrics["d_accuracy"] == pytest.approx(((real > 0).mean() + (fake < 0).mean()) / 2)
    assert metrics["d_sureness"] == pytest.approx(np.sign(real).mean())


def test_skipping_discriminator_is_evaluated_but_unchanged():
    runner = StepRunner(define({"discriminator": {"norm": "layer"}}))
    before = runner.state.arrays()
    metrics = runner.run([0], learn=False)[0]
    after = runner.state.arrays()
    assert moved(before, after, "discriminator") <= {"discriminator_optimizer/001"}  # its learning rate
    assert learned(runner, "generator") == moved(before, after, "generator/") & learned(runner, "generator")
    assert metrics["d_gradient"] == 0
    assert metrics["d_loss"] == pytest.approx(
        StepRunner(define({"discriminator": {"norm": "layer"}})).run([0])[0]["d_loss"]
    )


def test_discriminator_learns_discriminator_steps_times_per_step():
    runner = StepRunner(define({"balance": {"discriminator_steps": 3}}))
    runner.run([0])
    arrays = runner.state.arrays()
    assert (arrays["discriminator_optimizer/000"], arrays["generator_optimizer/000"]) == (3, 1)


def test_lazy_penalty_is_weighted_by_its_interval():
    tree = {"discriminator": PLAIN, "generator": descent(1e-8)}
    often, lazily = (
        StepRunner(define(tree | {"penalties": {"r1": {"weight": 2, "every": every}}})).run(range(3))
        for every in (1, 2)
    )
    assert [metrics["d_penalty"] > 0 for metrics in lazily] == [True, False, True]
    assert lazily[0]["d_penalty"] == pytest.approx(2 * often[0]["d_penalty"], rel=1e-5)


def test_lecam_compares_with_the_running_means_of_earlier_steps():
    runner = StepRunner(define(BARE | {"penalties": {"lecam": {"weight": 2, "decay": 0.75}}}))
    means, found = np.zeros(2), []
    for number in range(4):
        found.append(runner.run([number])[0]["d_penalty"])
        real, fake = (runner.state.arrays()["logit_means"] - 0.75 * means) / 0.25  # the means of this step's logits
        assert found[-1] >= 2 * (max(0, real - means[1]) ** 2 + max(0, means[0] - fake) ** 2) - 1e-4  # Jensen
        means = runner.state.arrays()["logit_means"].astype(float)
    assert found[-1] > 0
    assert "logit_means" not in StepRunner(define()).state.arrays()


def test_clipping_bounds_every_weight_of_d():
    tree = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.01}}
    runner = StepRunner(define(tree))
    runner.run([0])
    after = runner.state.arrays()
    assert max(np.abs(after[name]).max() for name in learned(runner, "discriminator")) <= np.float32(0.01)
    assert max(np.abs(after[name]).max() for name in learned(runner, "generator")) > 0.02


def test_adaptive_augmentation_rises_up_to_its_probability():
    runner = StepRunner(define({"augment": {"target": 0.6, "ramp": 100, "probability": 0.15}}))
    sure, strength = [], [0.0]
    for number in range(6):
        (metrics,) = runner.run([number])
        sure.append(metrics["d_sureness"])
        strength.append(metrics["augment"])
    ways = np.sign(np.array(sure) - 0.6)
    expected = [0.0]
    for way in ways:
        expected.append(float(np.clip(expected[-1] + way * BATCH / 100, 0, 0.15)))
    assert strength == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("target", [0.6, 0.0])
def test_augmentation_is_zero_where_no_policy_is_set(target):
    runner = StepRunner(define({"augment": {"policies": [], "target": target, "ramp": 100}}))
    assert [metrics["augment"] for metrics in runner.run(range(3))] == [0, 0, 0]


def test_feature_matching_adds_to_the_generator_loss():
    without, weighted = (StepRunner(define(BARE | {"feature_matching": weight})).run([0])[0] for weight in (0.0, 100.0))
    assert weighted["g_loss"] > without["g_loss"] + 0.01
    assert weighted["d_loss"] == pytest.approx(without["d_loss"])


def test_average_follows_by_its_half_life_with_statistics():
    runner = StepRunner(define({"ema": {"half_life": BATCH, "ramp": 1.0}}))  # one step halves the distance
    start = runner.state.arrays()
    runner.run([0])
    after = runner.state.arrays()
    assert any("moving" in variable.path for variable in runner.state.average.variables)
    for name in (name for name in after if name.startswith("average/")):
        leading = name.replace("average", "generator")
        assert np.allclose(after[name], (start[name] + after[leading]) / 2, atol=1e-6), name


def test_average_is_close_to_the_generator_in_a_short_run(default_run):
    start, _, four, _ = default_run
    way = np.abs(four["generator/000"] - start["generator/000"]).mean()
    assert np.abs(four["average/000"] - four["generator/000"]).mean() < way / 20


def test_average_fades_in_with_the_generator_and_bounds_its_kernels(half_run):
    runner, _, _ = half_run("spectral and growing")
    for network in (runner.state.generator, runner.state.average):
        assert [float(blend.fade.numpy()) for blend in network.layers.blends] == [0.75]
    for layer in runner.state.average.layers.bounded:
        rows = np.moveaxis(np.asarray(layer.kernel, float), -2 if layer.kind == "up" else -1, 0)
        assert np.linalg.svd(rows.reshape(len(rows), -1))[1][0] == pytest.approx(1, abs=0.05)


def test_average_updates_its_own_singular_vectors():
    runner = StepRunner(define({"generator": {"weights": "spectral"}, "ema": {"ramp": 1.0}}))
    for layer in runner.state.average.layers.bounded:
        layer.left.assign(layer.left * 0.5)
    runner.run([1])  # the average moves by a third
    for layer in runner.state.average.layers.bounded:
        assert np.linalg.norm(layer.left) == pytest.approx(1, abs=1e-4)


@pytest.mark.long
def test_bfloat16_training_works_while_a_side_fades_in(half_run):
    wide, _, expected = half_run("spectral and growing")
    runner = StepRunner(wide.definition, dtype="mixed_bfloat16")
    for metrics, exact in zip(runner.run(FADING[:2]), expected[:2], strict=True):
        assert metrics["d_loss"] == pytest.approx(exact["d_loss"], abs=0.05)
    assert {array.dtype for array in runner.state.arrays().values()} <= {np.dtype(np.float32), np.dtype(np.int32),
                                                                      np.dtype(np.int64)}  # fmt: skip
