import dataclasses

import numpy as np
import pytest

from pipeline.gan.definition import Adam, Definition, Ema, Network
from pipeline.gan.state import TrainState
from pipeline.gan.step import METRICS, compile_step
from tests.gan.conftest import discs

SMALL = Definition(latent=6, generator=Network(width=8), discriminator=Network(width=8))
BATCH = 16


def run(numbers, *, definition=SMALL, seed=0, state=None):
    """The state after the steps of those numbers, and the metrics of each."""
    state = state or TrainState(definition, size=16, channels=3, seed=0)
    step = compile_step(state, definition, batch=BATCH, seed=seed)
    return state, [dict(zip(METRICS, step(discs(BATCH), number).numpy().tolist(), strict=True)) for number in numbers]


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def start():
    """The arrays before any step."""
    return TrainState(SMALL, size=16, channels=3, seed=0).arrays()


@pytest.fixture(scope="module")
def two():
    """The arrays after steps 0 and 1."""
    return run(range(2))[0].arrays()


@pytest.fixture(scope="module")
def four():
    """The arrays after steps 0 to 3."""
    return run(range(4))[0].arrays()


def test_the_same_steps_give_the_same_bits(two):
    assert equal(run(range(2))[0].arrays(), two)


@pytest.mark.parametrize("change", [{"seed": 1}, {"numbers": range(1, 3)}])
def test_another_seed_or_step_number_draws_other_numbers(two, change):
    assert not equal(run(**{"numbers": range(2)} | change)[0].arrays(), two)


def test_a_restored_state_goes_on_exactly(two, four):
    resumed = TrainState(SMALL, size=16, channels=3, seed=9)
    resumed.restore(two)
    run(range(2, 4), state=resumed)
    assert equal(resumed.arrays(), four)


def test_a_state_of_another_network_is_refused(two):
    wider = dataclasses.replace(SMALL, generator=Network(width=16))
    with pytest.raises(ValueError, match="shape"):
        TrainState(wider, size=16, channels=3, seed=0).restore(two)


def test_every_part_learns(start, two):
    assert [name for name in start if "optimizer" not in name and np.array_equal(start[name], two[name])] == []


def test_a_network_that_may_not_learn_lets_the_other_learn_alone(start):
    still, eager = (Network(width=8, optimizer=Adam(learning_rate=rate)) for rate in (1e-8, 2e-3))
    state, metrics = run(range(30), definition=dataclasses.replace(SMALL, generator=still, discriminator=eager))
    assert np.allclose(start["generator/000"], state.arrays()["generator/000"], atol=1e-6)
    assert metrics[-1]["d_accuracy"] > 0.9
    assert metrics[-1]["d_loss"] < metrics[0]["d_loss"] / 2
    assert metrics[-1]["d_real"] > 0.7 > 0.3 > metrics[-1]["d_fake"]


def test_g_learns_to_deceive_a_d_that_stands_still(start):
    still, eager = (Network(width=8, optimizer=Adam(learning_rate=rate)) for rate in (1e-8, 2e-3))
    state, metrics = run(range(40), definition=dataclasses.replace(SMALL, generator=eager, discriminator=still))
    assert np.allclose(start["discriminator/000"], state.arrays()["discriminator/000"], atol=1e-6)
    assert metrics[-1]["g_loss"] < metrics[0]["g_loss"] - 0.05


def test_the_average_trails_by_its_half_life_statistics_included(start):
    half = dataclasses.replace(SMALL, ema=Ema(half_life=BATCH, ramp=1.0))  # one step halves what is between
    state, _ = run([0], definition=half)
    after = state.arrays()
    assert any("moving" in variable.path for variable in state.average.variables)
    for name in (name for name in after if name.startswith("average/")):
        leading = name.replace("average", "generator")
        assert np.allclose(after[name], (start[name] + after[leading]) / 2, atol=1e-6), name


def test_in_a_short_run_the_average_is_close_behind(start, four):
    way = np.abs(four["generator/000"] - start["generator/000"]).mean()
    assert np.abs(four["average/000"] - four["generator/000"]).mean() < way / 20
