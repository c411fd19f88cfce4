"""Work is timed in a process of its own, which does no harm to this one."""

import os
import time

import pytest

from pipeline.gan.step_timer import InProcess, OwnProcess

KINDS = [InProcess, pytest.param(OwnProcess, marks=pytest.mark.skipif(not OwnProcess.is_possible(), reason="no fork"))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_seconds_of_each_are_told(kind):
    timed = kind(lambda: lambda count: time.sleep(0.02 * count))
    try:
        assert 0.02 <= timed.seconds(5) < 2
        assert 0.02 <= timed.seconds(1) < 2
    finally:
        timed.close()


@pytest.mark.skipif(not OwnProcess.is_possible(), reason="no process can be forked here")
@pytest.mark.parametrize(
    "fault", [lambda count: os._exit(3), lambda count: 1 / 0, lambda count: os.kill(os.getpid(), 9)]
)
def test_a_process_that_dies_or_cannot_do_it_gives_no_time(fault, capfd):
    timed = OwnProcess(lambda: fault)
    assert timed.seconds(1) is None
    assert timed.seconds(1) is None
    timed.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(timed._process, 0)


@pytest.mark.skipif(not OwnProcess.is_possible(), reason="no process can be forked here")
def test_a_process_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr("pipeline.gan.step_timer.PATIENCE", 0.2)
    timed = OwnProcess(lambda: lambda count: time.sleep(1.0 if count == 1 else 0.01))
    assert timed.seconds(1) is None
    assert timed.seconds(10) is None  # not the answer to the question before


@pytest.mark.skipif(not OwnProcess.is_possible(), reason="no process can be forked here")
def test_a_process_is_given_up_when_asked_to_stop():
    timed, began = OwnProcess(lambda: lambda count: time.sleep(30), lambda: True), time.monotonic()
    assert timed.seconds(1) is None
    assert time.monotonic() - began < 20


@pytest.mark.skipif(not OwnProcess.is_possible(), reason="no process can be forked here")
def test_a_process_ends_when_nobody_asks_it_any_more():
    timed = OwnProcess(lambda: lambda count: None)
    timed.seconds(1)
    timed._pipe.close()
    assert os.waitpid(timed._process, 0)[0] == timed._process
