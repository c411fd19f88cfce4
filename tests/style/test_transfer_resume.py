"""A stopped transfer goes on bit-exactly, wherever it was stopped, from a checkpoint that may be damaged."""

import pytest

from pipeline.errors import Stopped, UserError
from pipeline.style import StyleOptions, stylize
from pipeline.style.transfer import CHECKPOINT, saved_rows
from tests.long_values import and_long
from tests.style.drawn_pictures import checks, disc
from tests.style.tiny_network import tiny_network

OPTIONS = {"size": 64, "levels": 2, "steps": 20, "every": 4, "sheets": 0, "checkpoint_every": 6}


class Killed(BaseException):
    """The process ends at once: nothing is saved."""


def draw(folder=None, *, stop_at=None, kill_at=None, **changed):
    done = []

    def on_step(row):
        done.append(row["step"])
        if row["step"] == kill_at:
            raise Killed

    return stylize(
        disc(),
        checks(),
        options=StyleOptions(**(OPTIONS | changed)),
        network=tiny_network(),
        folder=folder,
        on_step=on_step,
        should_stop=lambda: stop_at is not None and done[-1] >= stop_at,
    ), done


@pytest.fixture(scope="module", params=["adam", "lbfgs"])
def optimizer(request):
    return request.param


@pytest.fixture(scope="module")
def whole(optimizer):
    return draw(optimizer=optimizer)[0]


@pytest.mark.parametrize("step", and_long([6, 21], long=[1, 13, 20, 33, 40]))
def test_a_stopped_transfer_goes_on_bit_exactly(tmp_path, optimizer, whole, step):
    with pytest.raises(Stopped, match=r"stopped after \d+ of 40 steps"):
        draw(tmp_path, stop_at=step, optimizer=optimizer)
    made, done = draw(tmp_path, optimizer=optimizer)
    assert made.picture.tobytes() == whole.picture.tobytes()
    assert made.rows == whole.rows
    assert not done or done[0] > step - (10 if optimizer == "lbfgs" else 0)


@pytest.mark.parametrize("step", and_long([11, 30], long=[3, 20, 21, 39]))
def test_a_killed_transfer_goes_on_from_its_checkpoint(tmp_path, optimizer, whole, step):
    with pytest.raises(Killed):
        draw(tmp_path, kill_at=step, optimizer=optimizer)
    made, done = draw(tmp_path, optimizer=optimizer)
    assert made.picture.tobytes() == whole.picture.tobytes()
    assert made.rows == whole.rows
    assert step < 11 or done[0] > 1


def test_the_rows_so_far_are_in_the_checkpoint(tmp_path):
    assert saved_rows(tmp_path) == []
    with pytest.raises(Stopped):
        draw(tmp_path, stop_at=9)
    assert [row["step"] for row in saved_rows(tmp_path)] == [1, 4, 8]


def test_a_damaged_checkpoint_begins_again(tmp_path):
    with pytest.raises(Stopped):
        draw(tmp_path, stop_at=9)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    made, done = draw(tmp_path)
    assert done[0] == 1
    assert made.picture.tobytes() == draw()[0].picture.tobytes()


def test_a_checkpoint_of_another_transfer_is_refused(tmp_path):
    with pytest.raises(Stopped):
        draw(tmp_path, stop_at=9)
    with pytest.raises(UserError, match="the checkpoint there is of another transfer; name another folder"):
        draw(tmp_path, style_weight=2.0)


def test_a_finished_transfer_takes_no_step_again(tmp_path):
    first, _ = draw(tmp_path)
    again, done = draw(tmp_path)
    assert done == []
    assert again.picture.tobytes() == first.picture.tobytes()
