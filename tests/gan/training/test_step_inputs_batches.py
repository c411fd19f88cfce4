import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.training.step_inputs import Batches, check_count
from pipeline.gan.validation import MIN_IMAGES


def test_epoch_has_no_picture_twice_and_omits_less_than_a_batch():
    batches = Batches(count=70, max_batch=16, seed=0)
    seen = np.concatenate([batches.batch_indices(number)[0] for number in range(batches.steps)])
    assert batches.steps == 4
    assert len(set(seen)) == len(seen) == 64


@pytest.mark.parametrize(("turns", "steps"), [(1, 4), (2, 2), (3, 2), (5, 1)])
def test_several_turns_take_several_batches_and_see_all_pictures(turns, steps):
    batches = Batches(count=64, max_batch=16, seed=0, turns=turns)
    assert (batches.steps, batches.images_per_step) == (steps, 16 * turns)
    assert batches.batch_indices(0).shape == (turns, 16)
    # 20 turns see all pictures five times
    seen = np.concatenate([batches.batch_indices(number).ravel() for number in range(-(-20 // turns))])[: 20 * 16]
    assert np.bincount(seen).tolist() == [5] * 64


def test_order_depends_on_epoch_and_seed():
    one, other = Batches(count=64, max_batch=16, seed=0), Batches(count=64, max_batch=16, seed=1)
    orders = [tuple(one.batch_indices(0)[0]), tuple(one.batch_indices(4)[0]), tuple(other.batch_indices(0)[0])]
    assert len(set(orders)) == 3


def test_batch_of_a_step_does_not_depend_on_earlier_calls():
    batches = Batches(count=64, max_batch=16, seed=3)
    expected = batches.batch_indices(5).tolist()
    batches.batch_indices(0)
    assert batches.batch_indices(5).tolist() == expected


def test_batch_shrinks_to_the_number_of_pictures():
    batches = Batches(count=20, max_batch=64, seed=0)
    assert (batches.batch, batches.steps) == (20, 1)
    assert sorted(batches.batch_indices(7)[0]) == list(range(20))


def test_too_few_pictures_error_says_what_to_do():
    check_count(MIN_IMAGES)
    with pytest.raises(UserError, match=r"15 pictures.*at least 16.*download more"):
        check_count(15)
