"""The loop itself: what it does when things go wrong, and when time is up."""

import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.gan.training import loop as module
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.observer import NullObserver
from pipeline.gan.training.train_step import METRICS
from tests.gan.loop import EPOCHS, GROWING, STEPS, assert_same, begun, rows, run, weight


@pytest.fixture
def undisturbed(tmp_path, faults) -> Trainer:
    training = run(begun(tmp_path / "undisturbed"))
    faults.done = 0
    faults.rates.clear()
    return training


def test_a_loss_that_is_no_number_costs_an_epoch_and_half_the_rates_and_the_next_line_says_so(tmp_path):
    training = begun(tmp_path / "a", tree={"generator": {"optimizer": {"learning_rate": 0.001}}})
    really, calls = training._step, itertools.count()

    def step(plan, inputs):
        if next(calls) == STEPS + 1:  # in the second epoch
            weight(training).assign(weight(training) * np.nan)
        return really(plan, inputs)

    training._step = step
    run(training)
    lines = rows(tmp_path / "a")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["g_rate"] for line in lines] == pytest.approx([0.001, 0.0005, 0.0005, 0.0005])
    assert [line["epoch"] for line in lines if "note" in line] == [2]
    assert "was no number in epoch 2: went back to the checkpoint of epoch 1" in lines[1]["note"]
    assert "learning rates times 0.5" in lines[1]["note"]
    assert all(np.isfinite(array).all() for array in training.arrays().values())


def test_what_breaks_again_and_again_is_given_up_with_advice(tmp_path, faults):
    faults.no_number = (-1,)
    with pytest.raises(UserError, match=r"epoch 1, 3 times after.*d_loss.*learning rates in models/mine\.json"):
        run(begun(tmp_path / "a"))
    assert faults.rates[0] / np.array(faults.rates) == pytest.approx([1, 2, 4, 8])


def test_after_a_breakdown_it_goes_on_from_the_checkpoint_and_a_stop_changes_nothing(tmp_path, faults):
    faults.no_number = (4,)
    whole = run(begun(tmp_path / "whole"))
    faults.done = 0
    with pytest.raises(Stopped):
        run(begun(tmp_path / "again"), should_stop=lambda: faults.done == 6)  # one step after it went back
    assert_same(run(begun(tmp_path / "again")), whole)
    assert ["note" in line for line in rows(tmp_path / "again")] == [False, True, False, False]


def test_weights_that_are_no_numbers_are_never_kept(tmp_path, faults):
    faults.breaks = (2 * STEPS - 1,)  # the losses of that step are still numbers
    run(begun(tmp_path / "a"))
    lines = rows(tmp_path / "a")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert "a weight was no number in epoch 2" in lines[1]["note"]


def test_a_stop_just_then_keeps_the_checkpoint_before(tmp_path, faults):
    faults.breaks = (4,)
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a"), should_stop=lambda: faults.done == 5)
    resumed = begun(tmp_path / "a")
    assert resumed.number == STEPS
    run(resumed)
    assert [line["epoch"] for line in rows(tmp_path / "a")] == [1, 2, 3, 4]


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's is."""


@pytest.mark.parametrize(
    "error", [ResourceExhaustedError("OOM"), MemoryError()], ids=lambda error: type(error).__name__
)
def test_out_of_memory_names_a_batch_size_to_try(tmp_path, faults, error):
    faults.raises = error
    with pytest.raises(UserError, match=r'8 pictures of 16 pixels.*"batch": 4 in models/mine\.json'):
        run(begun(tmp_path / "a"))


def test_memory_that_runs_out_while_the_networks_are_built_is_told_too(tmp_path, monkeypatch):
    def build(*_, **__):
        raise ResourceExhaustedError("OOM")

    monkeypatch.setattr(module, "TrainState", build)
    with pytest.raises(UserError, match="out of memory with 8 pictures of 16 pixels"):
        begun(tmp_path / "a")


@pytest.mark.parametrize("moment", ["begin", "look"])
def test_memory_that_runs_out_at_a_look_is_told_to_be_the_samples(tmp_path, faults, moment):
    def fail(*_, **__):
        raise ResourceExhaustedError("OOM")

    watch = NullObserver()
    setattr(watch, moment, fail)
    with pytest.raises(UserError, match=r"samples of 16 pixels .* half the width .* in models/mine\.json"):
        run(begun(tmp_path / "a", watch=watch))


class InvalidArgumentError(Exception):
    """Named as TensorFlow's is."""


def test_what_xla_cannot_compile_is_told_to_be_its(tmp_path, faults):
    faults.raises = InvalidArgumentError("No registered 'MaxPoolGradGrad' OpKernel")
    with pytest.raises(UserError, match=r"all of models/mine\.json for this device; set gan\.xla to false"):
        run(begun(tmp_path / "a", xla=True))
    with pytest.raises(InvalidArgumentError):
        run(begun(tmp_path / "b"))


def test_another_mistake_is_told_as_it_is(tmp_path, faults):
    faults.raises = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(begun(tmp_path / "a"))


def test_when_the_minutes_are_over_it_stops_and_goes_on_to_the_same_bits(tmp_path, faults, undisturbed, monkeypatch):
    clock = itertools.count(step=20)  # seconds from one look at it to the next
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter))
    for _ in range(2):  # four steps each
        with pytest.raises(Stopped, match=f"of {EPOCHS}; the next run goes on there"):
            run(begun(tmp_path / "a", minutes=1.5))
    assert faults.done == 8
    assert_same(run(begun(tmp_path / "a", minutes=1.5)), undisturbed)


def test_where_sums_are_rounded_otherwise_the_next_line_says_so(tmp_path, faults, monkeypatch):
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a"), should_stop=lambda: faults.done >= 4)
    monkeypatch.setattr(module, "rounding", lambda dtype: "another processor")
    run(begun(tmp_path / "a"))
    notes = [row.get("note", "") for row in rows(tmp_path / "a")]
    assert ["went on with another processor after " in note for note in notes] == [False, True, False, False]


def test_stopped_anywhere_it_goes_on_from_that_very_step(tmp_path, faults, undisturbed):
    for number in range(1, EPOCHS * STEPS):
        with pytest.raises(Stopped):
            run(begun(tmp_path / "a"), should_stop=lambda number=number: faults.done >= number)
        assert faults.done == number
    assert_same(run(begun(tmp_path / "a")), undisturbed)


def test_a_growing_gan_is_looked_at_in_full_size_from_the_start(tmp_path, faults):
    training, shapes = begun(tmp_path / "a", tree=GROWING), []
    training.watch.look = lambda row, draw, latents, **more: shapes.append(draw(latents[:2])) or {}
    run(training)
    assert {pictures.shape for pictures in shapes} == {(2, 16, 16, 3)}
    coarse = shapes[0].reshape(2, 8, 2, 8, 2, 3)
    assert (coarse == coarse[:, :, :1, :, :1]).all()


def test_a_critic_tells_no_probabilities(tmp_path, faults):
    tree = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.01}}
    run(begun(tmp_path / "a", tree=tree, epochs=1))
    (line,) = rows(tmp_path / "a")
    assert {"d_loss", "g_loss", "d_gradient"} <= line.keys()
    assert not {"d_accuracy", "d_real", "d_fake"} & line.keys()


def test_d_sits_out_while_it_is_far_ahead_and_a_resumed_training_knows(tmp_path, faults, monkeypatch):
    plans = []
    tree = {"balance": {"skip_above": 0.6}}

    def compiled(state, *, xla=False):
        def step(plan, inputs):
            plans.append(plan.learn)
            faults.done += 1
            return np.full(len(METRICS), 1.0 if plan.learn else 0.0, np.float32)

        return step

    monkeypatch.setattr(module, "compile_step", compiled)
    run(begun(tmp_path / "whole", tree=tree))
    whole, faults.done = plans.copy(), 0
    assert whole[:6] == [True] * 6
    assert not all(whole)
    plans.clear()
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a", tree=tree), should_stop=lambda: faults.done == 7)
    run(begun(tmp_path / "a", tree=tree))
    assert plans == whole
