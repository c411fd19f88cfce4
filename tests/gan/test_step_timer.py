"""Work is timed in a fork, which does not affect this process."""

import os
import time

import pytest

from pipeline.gan.step_timer import ForkedTimer, InProcessTimer

KINDS = [
    InProcessTimer,
    pytest.param(ForkedTimer, marks=pytest.mark.skipif(not ForkedTimer.is_possible(), reason="no fork")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_timer_gives_the_mean_seconds(kind):
    timer = kind(lambda: lambda count: time.sleep(0.02 * count))
    try:
        assert 0.02 <= timer.seconds(5) < 2
        assert 0.02 <= timer.seconds(1) < 2
    finally:
        timer.close()


@pytest.mark.skipif(not ForkedTimer.is_possible(), reason="no process can be forked here")
@pytest.mark.parametrize(
    "fault", [lambda count: os._exit(3), lambda count: 1 / 0, lambda count: os.kill(os.getpid(), 9)]
)
def test_dead_or_failing_fork_gives_none(fault, capfd):
    timer = ForkedTimer(lambda: fault)
    assert timer.seconds(1) is None
    assert timer.seconds(1) is None
    timer.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(timer._process, 0)


@pytest.mark.skipif(not ForkedTimer.is_possible(), reason="no process can be forked here")
def test_slow_fork_is_given_up(monkeypatch):
    monkeypatch.setattr("pipeline.gan.step_timer.ANSWER_SECONDS", 0.2)
    timer = ForkedTimer(lambda: lambda count: time.sleep(1.0 if count == 1 else 0.01))
    assert timer.seconds(1) is None
    assert timer.seconds(10) is None  # not the answer to the question before


@pytest.mark.skipif(not ForkedTimer.is_possible(), reason="no process can be forked here")
def test_fork_is_given_up_on_request_to_stop():
    timer, began = ForkedTimer(lambda: lambda count: time.sleep(30), lambda: True), time.monotonic()
    assert timer.seconds(1) is None
    assert time.monotonic() - began < 20


@pytest.mark.skipif(not ForkedTimer.is_possible(), reason="no process can be forked here")
def test_fork_ends_when_its_pipe_closes():
    timer = ForkedTimer(lambda: lambda count: None)
    timer.seconds(1)
    timer._pipe.close()
    assert os.waitpid(timer._process, 0)[0] == timer._process
