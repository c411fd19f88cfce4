from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.config import read_definition
from tests.gan.play import BATCH, Play, define, same
from tests.gan.training.definitions import PLAIN

PRESETS = sorted(path for path in (Path(__file__).parents[3] / "models").glob("*.json") if path.stem != "schema")
# Between them, all that a step hands on to the next one
LASTING = {
    "adaptive and scheduled": {
        "augment": {"target": 0.6, "ramp": 100},
        "generator": {"optimizer": {"schedule": {"kind": "cosine", "warmup": 20}}},
        "discriminator": {"optimizer": {"name": "rmsprop"}},
    },
    "spectral and growing": {
        "generator": {"weights": "spectral", "norm": "layer"},
        "discriminator": PLAIN | {"weights": "spectral", "minibatch": "stddev"},
        "loss": "hinge",
        "growing": {"start": 8, "fade": 32, "hold": 8},
    },
}
FADING = range(1, 5)  # steps of the growing one
BARE = {"augment": {"policies": []}}


def descent(rate: float, **more) -> dict:
    """A network that goes straight down its gradient."""
    return {"norm": "none", "initial": "he", "optimizer": {"name": "sgd", "learning_rate": rate, "beta_1": 0.0}} | more


def moved(before: dict, after: dict, part: str) -> set[str]:
    """The arrays of `part` that are not what they were."""
    return {name for name in before if name.startswith(part) and not np.array_equal(before[name], after[name])}


def learned(play: Play, part: str) -> set[str]:
    """The arrays of `part` that its optimizer moves."""
    variables = getattr(play.state, part).variables
    return {f"{part}/{place:03d}" for place, variable in enumerate(variables) if variable.trainable}


def indifferent(play: Play) -> set[str]:
    """D's last offset: to a loss of differences it is nothing."""
    paths = [variable.path for variable in play.state.discriminator.variables]
    return {f"discriminator/{paths.index('logit/bias'):03d}"}


@pytest.fixture(scope="module")
def usual() -> tuple[dict, dict, dict, list]:
    """The arrays before any step of the defaults, after two, after four, and the metrics of the four."""
    play = Play(define())
    start, first = play.state.arrays(), play.run(range(2))
    two, then = play.state.arrays(), play.run(range(2, 4))
    return start, two, play.state.arrays(), first + then


@pytest.fixture(scope="module")
def lasting() -> dict[str, tuple[Play, dict, list]]:
    """What each of LASTING is after four steps, was after two, and the metrics of the four."""
    return {name: _half_and_whole(Play(define(tree))) for name, tree in LASTING.items()}


def _half_and_whole(play: Play) -> tuple[Play, dict, list]:
    first = play.run(FADING[:2])
    return play, play.state.arrays(), first + play.run(FADING[2:])


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_trains(path):
    """As written, but for small batches; a growing one begins to grow at once."""
    definition = read_definition(path).model_copy(update={"batch": BATCH})
    if definition.growing.start:
        growing = definition.growing.model_copy(update={"fade": 2 * BATCH, "hold": BATCH})
        definition = definition.model_copy(update={"growing": growing})
    play = Play(definition)
    before = play.state.arrays()
    metrics = play.run(range(3))
    after = play.state.arrays()
    assert np.isfinite([list(each.values()) for each in metrics]).all()
    for part in ("generator", "discriminator"):
        assert learned(play, part) - moved(before, after, part) <= indifferent(play)
        assert metrics[-1][f"{part[0]}_gradient"] > 0
    assert moved(before, after, "average/")
    fading = [play.plan(number).fading for number in range(3)]
    assert fading == [False, definition.growing.start > 0, definition.growing.start > 0]


def test_the_same_steps_give_the_same_bits(usual):
    play = Play(define())
    assert play.run(range(2)) == usual[3][:2]
    assert same(play.state.arrays(), usual[1])


@pytest.mark.parametrize("change", [{"seed": 1}, {"numbers": range(1, 3)}], ids=str)
def test_another_seed_or_step_number_draws_other_numbers(usual, change):
    play = Play(define(), seed=change.get("seed", 0), start=usual[0])
    play.run(change.get("numbers", range(2)))
    assert not same(play.state.arrays(), usual[1])


def test_a_restored_state_goes_on_exactly(usual):
    play = Play(define(), start=usual[1])
    assert play.run(range(2, 4)) == usual[3][2:]
    assert same(play.state.arrays(), usual[2])


@pytest.mark.parametrize("name", LASTING)
def test_whatever_lasts_from_step_to_step_is_restored(name, lasting):
    play, half, told = lasting[name]
    resumed = Play(play.definition, start=half)
    assert resumed.run(FADING[2:]) == told[2:]
    assert same(resumed.state.arrays(), play.state.arrays())


def test_a_state_of_another_network_is_refused(usual):
    with pytest.raises(ValueError, match="shape"):
        Play(define({"generator": {"width": 8}}), start=usual[1])


def test_every_part_learns(usual):
    start, two, _, _ = usual
    still = {name for name in start if np.array_equal(start[name], two[name])}
    assert still == {"generator_optimizer/001", "discriminator_optimizer/001"}  # the learning rates


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "least_squares", "hinge", "relativistic"])
def test_each_network_goes_down_the_loss_it_is_told(loss):
    """Along the gradient a small step lowers the loss by its length times the gradient's squared."""
    for part, rates in (("d", (1e-8, 1e-4)), ("g", (1e-4, 1e-8))):
        tree = {"generator": descent(rates[0]), "discriminator": descent(rates[1]), "loss": loss}
        first, again = Play(define(BARE | tree)).run([0, 0])  # twice the same pictures
        expected = 1e-4 * first[f"{part}_gradient"] ** 2
        assert first[f"{part}_loss"] - again[f"{part}_loss"] == pytest.approx(expected, rel=0.1), part


def test_d_learns_to_tell_reals_from_a_generator_that_stands_still():
    still, eager = ({"width": 8, "optimizer": {"learning_rate": rate}} for rate in (1e-8, 2e-3))
    metrics = Play(define({"generator": still, "discriminator": eager})).run(range(40))
    assert metrics[-1]["d_accuracy"] > 0.9
    assert metrics[-1]["d_loss"] < metrics[0]["d_loss"] / 2
    assert metrics[-1]["d_real"] > 0.7 > 0.3 > metrics[-1]["d_fake"]


def test_g_learns_to_deceive_a_d_that_stands_still():
    still, eager = ({"width": 8, "optimizer": {"learning_rate": rate}} for rate in (1e-8, 2e-3))
    metrics = Play(define({"generator": eager, "discriminator": still})).run(range(40))
    assert metrics[-1]["g_loss"] < metrics[0]["g_loss"] - 0.05


def test_reals_are_seen_anew_by_the_d_that_has_learned_where_g_is_paid_beside_them():
    tree = {"discriminator": descent(1.0), "generator": descent(1e-8), "loss": "relativistic"}
    play = Play(define(BARE | tree))
    inputs, state = play.director.inputs(0), play.state
    reals = inputs.reals[0].astype(np.float32) / 127.5 - 1
    fakes = state.generator.whole(inputs.noise.latents[0])
    (told,) = play.run([0])
    real, fake = (np.asarray(state.discriminator.whole(x)[0], float) for x in (reals, fakes))  # D as it is now
    assert told["g_loss"] == pytest.approx(np.log1p(np.exp(real - fake)).mean(), rel=1e-4)
    assert told["g_loss"] > told["d_loss"] + 1e-3


def test_what_is_told_of_d_is_what_it_says_of_these_pictures():
    tree = {"discriminator": PLAIN, "generator": {"norm": "none", "initial": "he"}}
    play = Play(define(BARE | tree))
    inputs, state = play.director.inputs(0), play.state
    reals = inputs.reals[0].astype(np.float32) / 127.5 - 1
    real, fake = (
        np.asarray(state.discriminator.whole(x)[0], float)
        for x in (reals, state.generator.whole(inputs.noise.latents[0]))
    )
    told = play.run([0])[0]

    def probability(logits):
        return 1 / (1 + np.exp(-logits))

    assert told["d_loss"] == pytest.approx(-np.log(probability(real)).mean() - np.log(probability(-fake)).mean())
    assert told["d_real"] == pytest.approx(probability(real).mean())
    assert told["d_fake"] == pytest.approx(probability(fake).mean())
    assert told["d_accuracy"] == pytest.approx(((real > 0).mean() + (fake < 0).mean()) / 2)
    assert told["d_sureness"] == pytest.approx(np.sign(real).mean())


def test_a_d_that_sits_out_is_asked_and_stays_as_it_is():
    play = Play(define({"discriminator": {"norm": "layer"}}))
    before = play.state.arrays()
    told = play.run([0], learn=False)[0]
    after = play.state.arrays()
    assert moved(before, after, "discriminator") <= {"discriminator_optimizer/001"}  # the learning rate it is told
    assert learned(play, "generator") == moved(before, after, "generator/") & learned(play, "generator")
    assert told["d_gradient"] == 0
    assert told["d_loss"] == pytest.approx(Play(define({"discriminator": {"norm": "layer"}})).run([0])[0]["d_loss"])


def test_d_learns_as_often_as_asked_before_g_does():
    play = Play(define({"balance": {"discriminator_steps": 3}}))
    play.run([0])
    arrays = play.state.arrays()
    assert (arrays["discriminator_optimizer/000"], arrays["generator_optimizer/000"]) == (3, 1)


def test_a_lazy_penalty_is_due_now_and_then_and_weighs_as_much_more():
    tree = {"discriminator": PLAIN, "generator": descent(1e-8)}
    often, lazily = (
        Play(define(tree | {"penalties": {"r1": {"weight": 2, "every": every}}})).run(range(3)) for every in (1, 2)
    )
    assert [told["d_penalty"] > 0 for told in lazily] == [True, False, True]
    assert lazily[0]["d_penalty"] == pytest.approx(2 * often[0]["d_penalty"], rel=1e-5)


def test_clipping_holds_every_weight_of_d_in_bounds():
    tree = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.01}}
    play = Play(define(tree))
    play.run([0])
    after = play.state.arrays()
    assert max(np.abs(after[name]).max() for name in learned(play, "discriminator")) <= np.float32(0.01)
    assert max(np.abs(after[name]).max() for name in learned(play, "generator")) > 0.02


def test_adaptive_augmentation_rises_while_d_is_sure_of_the_reals_and_no_further_than_asked():
    play = Play(define({"augment": {"target": 0.6, "ramp": 100, "probability": 0.15}}))
    sure, strength = [], [0.0]
    for number in range(6):
        (told,) = play.run([number])
        sure.append(told["d_sureness"])
        strength.append(told["augment"])
    ways = np.sign(np.array(sure) - 0.6)
    expected = [0.0]
    for way in ways:
        expected.append(float(np.clip(expected[-1] + way * BATCH / 100, 0, 0.15)))
    assert strength == pytest.approx(expected, abs=1e-6)


def test_feature_matching_adds_to_what_g_pays():
    without, weighted = (Play(define(BARE | {"feature_matching": weight})).run([0])[0] for weight in (0.0, 100.0))
    assert weighted["g_loss"] > without["g_loss"] + 0.01
    assert weighted["d_loss"] == pytest.approx(without["d_loss"])


def test_the_average_trails_by_its_half_life_statistics_included():
    play = Play(define({"ema": {"half_life": BATCH, "ramp": 1.0}}))  # one step halves what is between
    start = play.state.arrays()
    play.run([0])
    after = play.state.arrays()
    assert any("moving" in variable.path for variable in play.state.average.variables)
    for name in (name for name in after if name.startswith("average/")):
        leading = name.replace("average", "generator")
        assert np.allclose(after[name], (start[name] + after[leading]) / 2, atol=1e-6), name


def test_in_a_short_run_the_average_is_close_behind(usual):
    start, _, four, _ = usual
    way = np.abs(four["generator/000"] - start["generator/000"]).mean()
    assert np.abs(four["average/000"] - four["generator/000"]).mean() < way / 20


def test_the_average_fades_a_new_side_in_when_the_generator_does_and_bounds_its_own_kernels(lasting):
    play, _, _ = lasting["spectral and growing"]
    for network in (play.state.generator, play.state.average):
        assert [float(blend.fade.numpy()) for blend in network.layers.blends] == [0.75]
    for layer in play.state.average.layers.bounded:
        rows = np.moveaxis(np.asarray(layer.kernel, float), -2 if layer.kind == "up" else -1, 0)
        assert np.linalg.svd(rows.reshape(len(rows), -1))[1][0] == pytest.approx(1, abs=0.05)


def test_the_average_turns_towards_its_own_singular_vectors():
    play = Play(define({"generator": {"weights": "spectral"}, "ema": {"ramp": 1.0}}))
    for layer in play.state.average.layers.bounded:
        layer.left.assign(layer.left * 0.5)
    play.run([1])  # the average moves by a third
    for layer in play.state.average.layers.bounded:
        assert np.linalg.norm(layer.left) == pytest.approx(1, abs=1e-4)


def test_it_trains_in_bfloat16_too_while_a_side_fades_in(lasting):
    wide, _, expected = lasting["spectral and growing"]
    play = Play(wide.definition, dtype="mixed_bfloat16")
    for told, exact in zip(play.run(FADING[:2]), expected[:2], strict=True):
        assert told["d_loss"] == pytest.approx(exact["d_loss"], abs=0.05)
    assert {array.dtype for array in play.state.arrays().values()} <= {np.dtype(np.float32), np.dtype(np.int32),
                                                                      np.dtype(np.int64)}  # fmt: skip
