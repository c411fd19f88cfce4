from types import SimpleNamespace

import pytest

from benchmarks import turns
from benchmarks.turns import WARM_UP, time_turns


@pytest.fixture
def take(monkeypatch):
    """Steps with given durations on a fake clock; `calls` records how many steps were requested."""
    clock, calls = [0.0], []

    def made(*seconds):
        def take(steps):
            calls.append(steps)
            clock[0] += steps * seconds[min(len(calls), len(seconds)) - 1]

        take.calls = calls
        return take

    monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    return made


def test_turns_fill_their_seconds_and_return_the_median_after_warm_up(take):
    steps = take(0.5, 0.3, 0.01, 0.02, 0.03, 0.02, 0.09)
    found = time_turns(steps, seconds=0.9)
    assert steps.calls == [1, WARM_UP, *5 * [3]]
    assert (found.median, found.fastest, found.slowest) == pytest.approx((0.02, 0.01, 0.09))


def test_turns_on_a_slow_device_take_one_step(take):
    steps = take(20.0)
    assert time_turns(steps, seconds=1.0, turns=3).median == 20.0
    assert steps.calls == [1, 1, 1, 1]
