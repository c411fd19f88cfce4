"""The run that the page starts: one at a time, found again, stopped, and reported as it ended."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.web.background_run import BackgroundRun
from tests.web.fake_dataset import FakeDataset

FAKE = Path(__file__).parent / "fake_tasks.py"


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


@pytest.fixture
def rerun(tmp_path, gate):
    made = another(tmp_path, gate)
    yield made
    if made.progress().state == "running":
        made.stop()
        ended(made)


def another(folder, gate):
    """What a server that was started later has."""
    data = FakeDataset(folder).data
    data.mkdir(parents=True, exist_ok=True)
    return BackgroundRun(command=(sys.executable, str(FAKE), str(gate)), dataset="cats", folder=data)


def until(condition):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("never came true")


def ended(rerun):
    return until(lambda: (found := rerun.progress()).state not in ("running", "ended") and found)


def test_before_any_run_there_is_none(rerun):
    assert rerun.progress().state == "none"


def test_a_plan_is_what_the_command_says(rerun):
    assert rerun.plan("filter") == [{"stage": "filter", "state": "will run", "reason": "labels changed: 8 → 9"}]


def test_a_plan_that_cannot_be_made_is_one_line(tmp_path):
    code = "import sys; sys.exit('error: download.query is empty; give --query')"
    broken = BackgroundRun(command=(sys.executable, "-c", code), dataset="cats", folder=tmp_path)
    with pytest.raises(UserError, match=r"^download.query is empty; give --query$"):
        broken.plan("")


def test_a_run_says_where_it_is_and_how_it_ended(rerun, gate):
    assert rerun.start("filter").state == "running"
    found = until(lambda: (found := rerun.progress()).percent and found)
    assert (found.stage, found.percent, found.until) == ("classifier", 50, "filter")
    gate.write_text("filter     kept 12 of 70\ntook       3.0 s")
    assert (ended(rerun).state, ended(rerun).outcome) == ("done", "filter kept 12 of 70")
    assert gate.with_suffix(".runs").read_text() == "run --dataset cats --until filter\n"


def test_the_whole_chain_is_run_without_an_end(rerun, gate):
    gate.write_text("done")
    rerun.start("")
    ended(rerun)
    assert gate.with_suffix(".runs").read_text() == "run --dataset cats\n"


def test_a_failed_run_says_why(rerun, gate):
    gate.write_text("classifier failed: the classifier needs 8 of each\nthe whole story is in log.txt")
    rerun.start("filter")
    assert (ended(rerun).state, ended(rerun).outcome) == (
        "failed",
        "classifier failed: the classifier needs 8 of each",
    )


def test_only_one_runs_at_a_time_whichever_server_started_it(rerun, gate, tmp_path):
    rerun.start("filter")
    for each in (rerun, another(tmp_path, gate)):
        with pytest.raises(UserError, match="under way"):
            each.start("")
    until(gate.with_suffix(".runs").exists)
    assert len(gate.with_suffix(".runs").read_text().splitlines()) == 1


def test_a_later_server_finds_it_and_stops_it(rerun, gate, tmp_path):
    rerun.start("filter")
    later = another(tmp_path, gate)
    until(lambda: later.progress().percent == 50)
    assert later.stop().state in ("running", "stopped")  # it may be faster than the answer
    assert ended(later).state == "stopped"
    rerun.start("filter")


def test_it_is_in_a_session_of_its_own(rerun):
    rerun.start("filter")
    assert os.getsid(rerun._started().pid) == rerun._started().pid


def test_what_does_not_run_cannot_be_stopped(rerun, gate):
    with pytest.raises(UserError, match="no run of cats is under way"):
        rerun.stop()
    gate.write_text("done")
    rerun.start("filter")
    ended(rerun)
    with pytest.raises(UserError, match="no run of cats is under way"):
        rerun.stop()


def test_a_run_that_ended_while_no_server_was_there_is_told_by_its_last_words(rerun, tmp_path):
    rerun.folder.mkdir(parents=True)
    (rerun.folder / "run.json").write_text('{"until": "filter", "pid": 1, "birth": "never", "began": "2026"}')
    said = {"filter kept 1\ntook       3.0 s\n": "done", "stopped; the next run goes on\n": "stopped"}
    said |= {"error: no labels\n": "failed", "classifier starts\n": "ended", "": "ended"}
    for words, state in said.items():
        (rerun.folder / "log.txt").write_text(words)
        assert rerun.progress().state == state


def test_a_killed_run_has_failed(rerun):
    rerun.start("filter")
    os.kill(rerun._started().pid, signal.SIGKILL)
    assert ended(rerun).state == "failed"


def test_another_process_with_its_number_is_not_taken_for_it(rerun, tmp_path, gate):
    gate.write_text("done")
    rerun.start("filter")
    ended(rerun)
    path = rerun.folder / "run.json"
    path.write_text(path.read_text().replace(f'"pid": {rerun._started().pid}', f'"pid": {os.getpid()}'))
    assert rerun.progress().state == "done"
    with pytest.raises(UserError):
        rerun.stop()


def test_rubbish_in_its_place_is_no_run(rerun):
    rerun.folder.mkdir(parents=True)
    (rerun.folder / "run.json").write_text("{")
    assert rerun.progress().state == "none"
