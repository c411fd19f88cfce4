import dataclasses

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.training.augment import DRAWS, MIRROR
from pipeline.gan.training.step_inputs import Batches, StepPlanner
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import define

IMAGES = draw_discs(32)


def step_planner(tree: dict | None = None, *, steps: int = 100, stages: int = 1, seed: int = 0) -> StepPlanner:
    definition = define(tree)
    turns = definition.balance.discriminator_steps
    batches = Batches(count=len(IMAGES), max_batch=definition.batch, seed=seed, turns=turns)
    return StepPlanner(definition=definition, images=IMAGES, batches=batches, steps=steps, stages=stages)


def test_inputs_depend_on_step_number_and_seed_only():
    one, other = step_planner(), step_planner(seed=1)
    one.inputs(0)
    first, again, later, seeded = one.inputs(7), step_planner().inputs(7), one.inputs(8), other.inputs(7)
    assert np.array_equal(first.reals, again.reals)
    assert all(
        np.array_equal(a, b) for a, b in zip(vars(first.noise).values(), vars(again.noise).values(), strict=True)
    )
    for differs in (later, seeded):
        assert not np.array_equal(first.reals, differs.reals)
        assert not np.array_equal(first.noise.latents, differs.noise.latents)


def test_reals_are_the_batches_of_each_turn():
    runner = step_planner({"balance": {"discriminator_steps": 3}})
    reals = runner.inputs(4).reals
    assert (reals.shape, reals.dtype) == ((3, 8, 16, 16, 3), np.uint8)
    assert np.array_equal(reals[1], IMAGES[runner.batches.batch_indices(4)[1]])


def test_each_network_has_its_own_rate_and_scale_rates_lowers_both():
    tree = {
        "generator": {"optimizer": {"learning_rate": 0.01, "schedule": {"kind": "linear", "final": 0.5}}},
        "discriminator": {"optimizer": {"learning_rate": 0.02}},
    }
    inputs = step_planner(tree).inputs(50)
    assert inputs.rates == pytest.approx((0.0075, 0.02))
    assert inputs.scale_rates((0.25, 0.5)).rates == pytest.approx((0.0075 / 4, 0.01))
    assert inputs.scale_rates((0.25, 0.5)).reals is inputs.reals


def test_penalties_are_due_every_few_steps():
    penalties = {"r1": {"weight": 1, "every": 4}, "gradient": {"weight": 10}}
    plans = [
        step_planner({"discriminator": {"norm": "none"}, "penalties": penalties}).plan(n, learn=True) for n in range(5)
    ]
    assert [plan.r1 for plan in plans] == [True, False, False, False, True]
    assert {plan.gradient for plan in plans} == {True}
    assert not any(plan.r2 for plan in plans)


def test_plan_says_whether_d_learns():
    assert [step_planner().plan(3, learn=learn).learn for learn in (True, False)] == [True, False]


def test_a_growing_gan_goes_through_its_stages():
    tree = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 16, "hold": 16}}
    grows = step_planner(tree, stages=2)
    plans = [grows.plan(number, learn=True) for number in range(6)]
    assert [(plan.stage, plan.fading) for plan in plans] == [(0, False)] * 2 + [(1, True)] * 2 + [(1, False)] * 2
    assert [grows.inputs(number).fade for number in range(6)] == [1, 1, 0, 0.5, 1, 1]
    assert [grows.is_full_size(number) for number in range(6)] == [False] * 4 + [True] * 2


def test_average_follows_at_once_at_first_and_slower_later():
    shares = [step_planner().inputs(number).share for number in (0, 50, 90)]
    assert shares[0] > 0.99
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(("steps", "enough"), [(5, True), (4, False)])
def test_too_few_epochs_to_grow_error_names_how_many_are_needed(steps, enough):
    tree = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 16, "hold": 16}}
    grows = step_planner(tree, steps=steps, stages=2)
    if enough:
        return grows.check_growth()
    with pytest.raises(UserError, match=r"full size after 32 images.*sees 32: set epochs to 2 or more"):
        grows.check_growth()
    step_planner(tree, steps=2 * grows.batches.steps, stages=2).check_growth()


def test_no_picture_is_mirrored_where_left_and_right_matter():
    planner = step_planner()
    assert planner.inputs(3).noise.draws[..., MIRROR].any()
    never = dataclasses.replace(planner, mirrors=False).inputs(3).noise
    assert not never.draws[..., MIRROR].any()
    others = [index for index in range(DRAWS) if index != MIRROR]
    assert np.array_equal(never.draws[..., others], planner.inputs(3).noise.draws[..., others])
