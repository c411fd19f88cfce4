import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.training.step_inputs import FEWEST, Batches, check_count


def test_an_epoch_sees_no_picture_twice_and_leaves_out_less_than_a_batch():
    batches = Batches(count=70, wanted=16, seed=0)
    seen = np.concatenate([batches.of_step(number)[0] for number in range(batches.steps)])
    assert batches.steps == 4
    assert len(set(seen)) == len(seen) == 64


@pytest.mark.parametrize(("turns", "steps"), [(1, 4), (2, 2), (3, 2), (5, 1)])
def test_with_several_turns_a_step_takes_as_many_batches_and_no_picture_is_left_out_for_long(turns, steps):
    batches = Batches(count=64, wanted=16, seed=0, turns=turns)
    assert (batches.steps, batches.seen) == (steps, 16 * turns)
    assert batches.of_step(0).shape == (turns, 16)
    # 20 turns are five times through all pictures, wherever steps end
    seen = np.concatenate([batches.of_step(number).ravel() for number in range(-(-20 // turns))])[: 20 * 16]
    assert np.bincount(seen).tolist() == [5] * 64


def test_each_epoch_and_each_seed_has_its_own_order():
    one, other = Batches(count=64, wanted=16, seed=0), Batches(count=64, wanted=16, seed=1)
    orders = [tuple(one.of_step(0)[0]), tuple(one.of_step(4)[0]), tuple(other.of_step(0)[0])]
    assert len(set(orders)) == 3


def test_a_step_sees_the_same_whatever_was_asked_before():
    batches = Batches(count=64, wanted=16, seed=3)
    expected = batches.of_step(5).tolist()
    batches.of_step(0)
    assert batches.of_step(5).tolist() == expected


def test_a_batch_shrinks_to_what_there_is():
    batches = Batches(count=20, wanted=64, seed=0)
    assert (batches.batch, batches.steps) == (20, 1)
    assert sorted(batches.of_step(7)[0]) == list(range(20))


def test_too_few_pictures_are_refused_with_a_way_out():
    check_count(FEWEST)
    with pytest.raises(UserError, match=r"15 pictures.*at least 16.*download more"):
        check_count(15)
