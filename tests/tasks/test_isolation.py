"""A stage in a process of its own: what it says comes through, however it ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline import fork_server
from pipeline.errors import DamagedState, NextStep, Stopped, UserError
from pipeline.fork_server import ForkServer
from pipeline.progress import TellingProgress, silent, tell
from pipeline.result import Result
from tasks import isolation
from tests.processes import is_running

LIGHT = ForkServer()  # without TensorFlow
REPOSITORY = Path(__file__).parent.parent.parent


def works(*, folder, progress, should_stop):
    (folder / "made").write_text(str(os.getpid()))
    progress(1, 2, "half")
    return Result(outputs={"made": "1"}, summary={"n": 3}, unfinished="4 of 9 epochs")


def tells(*, folder, progress, should_stop):
    for number in range(3):
        tell(progress, f"alarm {number}")  # each one comes through, unlike progress
    return Result(outputs={}, summary={})


def mistakes(*, folder, progress, should_stop):
    raise UserError("too few labels")


def finds_damage(*, folder, progress, should_stop):
    raise DamagedState("a.png is not what was written")


def asks(*, folder, progress, should_stop):
    raise NextStep("label 30 on target")


def breaks(*, folder, progress, should_stop):
    raise KeyError("surprise")


def dies(*, folder, progress, should_stop):
    os.kill(os.getpid(), signal.SIGKILL)


def waits(*, folder, progress, should_stop):
    while not should_stop():
        time.sleep(0.01)
    (folder / "saved").write_text("yes")
    raise Stopped


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "SERVER", LIGHT)
    (tmp_path / "work").mkdir()

    def run(work, *, progress=lambda *report: None, should_stop=lambda: False):
        return isolation.call(
            work, folder=tmp_path / "work", progress=progress, should_stop=should_stop, log=tmp_path / "log.txt"
        )

    return run


def test_the_result_comes_back_from_another_process(call, tmp_path):
    seen = []
    result = call(works, progress=lambda *report: seen.append(report))
    assert result == Result(outputs={"made": "1"}, summary={"n": 3}, unfinished="4 of 9 epochs")
    assert int((tmp_path / "work" / "made").read_text()) != os.getpid()
    assert seen == [(1, 2, "half")]


def test_every_line_that_a_stage_tells_comes_through(call):
    told = []
    call(tells, progress=TellingProgress(silent, told.append))
    assert told == ["alarm 0", "alarm 1", "alarm 2"]
    call(tells)  # whose progress takes no lines


def test_a_users_mistake_stays_one(call):
    with pytest.raises(UserError, match=r"^too few labels$"):
        call(mistakes)


def test_damage_stays_damage(call):
    with pytest.raises(DamagedState, match=r"^a\.png is not what was written$"):
        call(finds_damage)


def test_a_next_step_stays_one(call):
    with pytest.raises(NextStep, match=r"^label 30 on target$"):
        call(asks)


def test_a_fault_brings_its_traceback(call):
    with pytest.raises(isolation.StageCrashed, match=r"(?s)in breaks.*KeyError: 'surprise'"):
        call(breaks)


def test_a_process_that_is_killed_is_said_to_be(call):
    with pytest.raises(isolation.StageCrashed, match="signal 9"):
        call(dies)


def test_a_request_to_stop_reaches_the_process_and_it_may_save(call, tmp_path):
    with pytest.raises(Stopped):
        call(waits, should_stop=lambda: True)
    assert (tmp_path / "work" / "saved").exists()


@pytest.mark.skipif(fork_server.METHOD != "forkserver", reason="others have the output of their parent")
@pytest.mark.parametrize(("asked", "error"), [(True, Stopped), (False, isolation.StageCrashed)])
def test_a_server_that_dies_before_the_process_begins_is_a_stop_if_one_was_asked_for(
    tmp_path, monkeypatch, asked, error
):
    """A ctrl-C of the terminal reaches the server too, while it loads TensorFlow."""

    def start(self):
        raise EOFError

    monkeypatch.setattr(isolation, "warm_up", lambda log: None)
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", start)
    with pytest.raises(error):
        isolation.call(works, folder=tmp_path, progress=silent, should_stop=lambda: asked, log=tmp_path / "log.txt")


def test_what_a_stage_prints_goes_to_the_log_and_holds_up_no_pipe(tmp_path):
    code = f"""
        import os, sys
        from pathlib import Path
        sys.path.insert(0, {str(REPOSITORY)!r})
        from pipeline.result import Result
        from pipeline.fork_server import ForkServer
        from tasks import isolation
        isolation.SERVER = ForkServer()

        def chatters(*, folder, progress, should_stop):
            os.system("echo chatter")
            return Result(outputs={{}}, summary={{}})

        def run():
            folder = Path({str(tmp_path)!r}) / "work"
            folder.mkdir()
            isolation.call(chatters, folder=folder, progress=print, should_stop=lambda: False, log=folder / "log")
            print("done")
    """
    found = subprocess.run(_command(code, tmp_path), cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "done\n"), found.stderr
    assert (tmp_path / "work" / "log").read_text() == "chatter\n"


def test_the_server_does_not_take_down_what_it_has_imported():
    code = "import atexit; atexit.register(print, 'taken down'); import pipeline.fork_server_end"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_process_dies_with_its_parent(tmp_path):
    code = f"""
        import os, signal, sys, threading, time
        from pathlib import Path
        sys.path.insert(0, {str(REPOSITORY)!r})
        from pipeline.fork_server import ForkServer
        from tasks import isolation
        isolation.SERVER = ForkServer()

        def sleeps(*, folder, progress, should_stop):
            (folder / "pid").write_text(str(os.getpid()))
            time.sleep(600)

        def run():
            folder = Path({str(tmp_path)!r}) / "work"
            folder.mkdir()
            isolation.call(sleeps, folder=folder, progress=print, should_stop=lambda: False, log=folder / "log")
    """
    parent = subprocess.Popen(_command(code, tmp_path), cwd=REPOSITORY)
    pid = _wait_for(tmp_path / "work" / "pid")
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not is_running(pid):
            return
        time.sleep(0.05)
    pytest.fail("the stage's process outlived its parent")


def _command(code: str, folder: Path) -> list[str]:
    """The command that calls `run` of a module with this code."""
    (folder / "work_of_a_stage.py").write_text(textwrap.dedent(code))
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); import work_of_a_stage; work_of_a_stage.run()"
    return [sys.executable, "-c", start]


def _wait_for(path: Path) -> int:
    for _ in range(600):
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.05)
    raise TimeoutError(path)
