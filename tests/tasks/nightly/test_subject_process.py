"""A subject's process: its limits, and that all of it ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.night_record import RunningTurn
from tasks.nightly.subject_process import FoundProcess, Limits, OwnProcess, follow

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


class FakeProcess:
    """A process that works for so many ticks, fewer after it was asked to stop, and notes what it was told."""

    def __init__(self, ticks: int, *, stops: bool = True, dies: bool = True) -> None:
        self.left, self.stops, self.dies, self.told = ticks, stops, dies, []

    def is_working(self) -> bool:
        self.left -= 1
        return self.left > 0

    def code(self) -> int:
        return 130 if self.told else 0

    def interrupt(self) -> None:
        self.told.append("interrupt")
        self.left = 3 if self.stops else self.left

    def kill(self) -> None:
        self.told.append("kill")
        self.left = 1 if self.dies else self.left


def followed(process: FakeProcess, limits: Limits, *, stop_after=10**9, spent=0.0, waited=lambda now: 0):
    """Follow `process` with a clock that goes on a second for each look."""
    now = [0.0]

    def sleep(_: float) -> None:
        now[0] += 1

    return follow(
        process,
        limits=limits,
        should_stop=lambda: now[0] >= stop_after,
        waited=lambda: waited(now[0]),
        spent=spent,
        clock=lambda: now[0],
        sleep=sleep,
    )


def test_a_process_that_ends_by_itself_is_left_alone():
    end = followed(process := FakeProcess(5), Limits(turn=100, night=100))
    assert (end.code, end.ended_by, end.seconds, process.told) == (0, "", 4, [])


@pytest.mark.parametrize(("limits", "ended_by"), [(Limits(turn=10), "hung"), (Limits(turn=90, night=10), "cut")])
def test_a_process_over_a_limit_is_asked_to_stop(limits, ended_by):
    end = followed(process := FakeProcess(1000), limits)
    assert (end.ended_by, end.was_killed, process.told) == (ended_by, False, ["interrupt"])
    assert end.seconds == 13


def test_waiting_for_another_run_does_not_count_as_hanging():
    end = followed(FakeProcess(150), Limits(turn=100), waited=lambda now: min(now, 60))
    assert (end.ended_by, end.seconds) == ("", 149)
    end = followed(FakeProcess(1000), Limits(turn=100), waited=lambda now: min(now, 60))
    assert end.ended_by == "hung"
    assert 160 <= end.seconds <= 175


def test_a_process_that_only_waits_does_so_for_the_time_of_a_turn():
    end = followed(process := FakeProcess(1000), Limits(turn=100), waited=lambda now: now)
    assert (end.ended_by, process.told) == ("waited", ["interrupt"])
    assert followed(FakeProcess(1000), Limits(turn=100, night=120), waited=lambda now: 50).ended_by == "cut"


def test_a_process_that_does_not_stop_is_killed_after_the_grace():
    end = followed(process := FakeProcess(1000, stops=False), Limits(turn=10, grace=20))
    assert (end.ended_by, end.was_killed, process.told) == ("hung", True, ["interrupt", "kill"])
    assert end.seconds == 31


def test_a_process_that_even_sigkill_does_not_end_is_left_behind():
    end = followed(FakeProcess(10**6, stops=False, dies=False), Limits(turn=10, grace=20))
    assert (end.ended_by, end.was_killed, end.seconds) == ("hung", True, 60)


def test_time_that_was_spent_before_counts():
    assert followed(FakeProcess(1000), Limits(turn=100), spent=95).seconds == 103


def test_a_stop_is_passed_on():
    end = followed(process := FakeProcess(1000), Limits(), stop_after=7)
    assert (end.ended_by, process.told) == ("stopped", ["interrupt"])


def wait_for_line(log: Path) -> str:
    while not log.exists() or not log.read_text().endswith("\n"):
        time.sleep(0.02)
    return log.read_text()


def test_a_killed_process_takes_its_own_processes_along(tmp_path):
    process = OwnProcess([sys.executable, "-c", STUBBORN], tmp_path / "logs" / "cats.txt")
    child = psutil.Process(int(wait_for_line(tmp_path / "logs" / "cats.txt")))
    end = follow(process, limits=Limits(turn=0.0, grace=0.3), should_stop=lambda: False)
    assert (end.code, end.ended_by, end.was_killed) == (-signal.SIGKILL, "hung", True)
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive or alive[0].status() == psutil.STATUS_ZOMBIE


def test_a_process_that_another_command_started_is_found_and_followed(tmp_path):
    started = OwnProcess([sys.executable, "-c", "import time; time.sleep(0.6)"], tmp_path / "log.txt")
    found = FoundProcess(RunningTurn(pid=started.pid, born=started.born, began=""))
    assert found.is_working()
    end = follow(found, limits=Limits(), should_stop=lambda: False)
    assert (end.code, end.ended_by) == (None, "")
    assert started.code() == 0


def test_the_number_of_a_process_that_is_gone_is_never_signalled():
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        found = FoundProcess(RunningTurn(pid=other.pid, born=1.0, began=""))
        assert not found.is_working()
        found.interrupt()
        found.kill()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
