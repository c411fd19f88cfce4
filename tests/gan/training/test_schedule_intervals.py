import pytest

from pipeline.gan.training.phase import Clock
from pipeline.gan.training.schedule import Intervals


def sheets(steps: int, *, until: int, **given) -> list[int]:
    """The epochs of `steps` steps that get a sample sheet, up to the epoch `until`."""
    intervals = Intervals(clock=Clock(steps=steps), **given)
    return [epoch for epoch in range(1, until + 1) if intervals.is_sheet_due(epoch)]


def test_requested_intervals_are_used():
    assert sheets(2, until=30, sample_every=7) == [7, 14, 21, 28]
    intervals = Intervals(clock=Clock(steps=2), checkpoint_every=3)
    assert [epoch for epoch in range(1, 10) if intervals.is_checkpoint_due(epoch)] == [3, 6, 9]


def test_automatic_sheets_are_dense_at_first_and_wider_later():
    due = [20 * epoch for epoch in sheets(20, until=500)]
    assert due == [100, 200, 400, 600, 800, 1000, 1120, 1260, 1400, 1600, 1800, 2000, 2240, 2500, 2800, 3160, 3560,
                   4000, 4500, 5000, 5600, 6300, 7100, 8000, 9000, 10000]  # fmt: skip
    assert len(sheets(20, until=50_000)) == 66  # of a million steps


@pytest.mark.parametrize("steps", [1, 7, 150, 999])
def test_automatic_sheet_is_at_the_first_epoch_that_reaches_its_step(steps):
    first = sheets(steps, until=2000)
    assert all(-(-step // steps) in first for step in (100, 400, 1000, 1800) if -(-step // steps) <= 2000)


def test_each_long_epoch_gets_a_sheet_at_first():
    assert sheets(3750, until=5) == [1, 2, 3, 4, 5]


def test_automatic_checkpoints_are_about_five_hundred_steps_apart():
    intervals = Intervals(clock=Clock(steps=14))
    assert [epoch for epoch in range(1, 100) if intervals.is_checkpoint_due(epoch)] == [36, 72]
    assert Intervals(clock=Clock(steps=3750)).is_checkpoint_due(1)
