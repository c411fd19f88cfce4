"""The run that the page starts: one at a time, found again, stopped, and reported as it ended."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from pipeline.run_record import NAME, process_start
from pipeline.web.jobs import background_run
from pipeline.web.jobs.background_run import BackgroundRun
from pipeline.web.jobs.run_status import KILLED
from tests.web.fake_dataset import FakeDataset
from tests.web.waiting import until

FAKE = Path(__file__).parent.parent / "fake_tasks.py"


@pytest.fixture
def rerun(tmp_path, gate):
    made = another(tmp_path, gate)
    yield made
    if (found := made.progress()).state == "running" and found.here:
        until(lambda: made.progress().percent)  # before that, an import may swallow the signal
        made.stop()
        ended(made)


def another(folder, gate):
    """What a server that was started later has."""
    data = FakeDataset(folder).data
    data.mkdir(parents=True, exist_ok=True)
    return BackgroundRun(command=(sys.executable, str(FAKE), str(gate)), dataset="cats", folder=data)


def ended(rerun):
    return until(lambda: (found := rerun.progress()).state not in ("running", "ended") and found)


def test_progress_is_none_before_any_run(rerun):
    assert rerun.progress().state == "none"


def test_plan_is_what_the_command_prints(rerun):
    assert rerun.plan("filter") == [{"stage": "filter", "state": "will run", "reason": "labels changed: 8 → 9"}]


def test_plan_that_fails_raises_the_reason_that_the_command_gives_as_json(tmp_path):
    run = BackgroundRun(command=(sys.executable, "-m", "tasks"), dataset="no/name", folder=tmp_path)
    with pytest.raises(UserError, match=r"^dataset = 'no/name': expected letters"):
        run.plan("")


@pytest.mark.parametrize("printed", ["", "Traceback (most recent call last)", "7 {}"])
def test_plan_that_prints_no_json_raises_its_exit_code(tmp_path, printed):
    code = f"import sys; print({printed!r}); sys.exit(3)"
    broken = BackgroundRun(command=(sys.executable, "-c", code), dataset="cats", folder=tmp_path)
    with pytest.raises(UserError, match=r"^the plan ended with code 3$"):
        broken.plan("")


def test_progress_shows_stage_percentage_and_outcome(rerun, gate):
    rerun.start("filter")
    assert rerun.progress().state == "running"
    found = until(lambda: (found := rerun.progress()).percent and found)
    assert (found.stage, found.percent, found.until, found.here) == ("classifier", 50, "filter", True)
    assert (found.done, found.total, found.note) == (40, 80, "learning")
    assert found.lines == ("classifier starts", "classifier 40 of 80 (50 %) learning")
    gate.write_text("kept 12 of 70")
    assert (ended(rerun).state, ended(rerun).outcome) == ("done", "filter kept 12 of 70")
    assert gate.with_suffix(".runs").read_text() == "run --dataset cats --until filter\n"


def test_start_of_the_whole_chain_passes_no_until(rerun, gate):
    gate.write_text("kept 1")
    rerun.start("")
    ended(rerun)
    assert gate.with_suffix(".runs").read_text() == "run --dataset cats\n"


def test_progress_of_a_failed_run_shows_the_error(rerun, gate):
    gate.write_text("failed: the classifier needs 8 of each")
    rerun.start("filter")
    assert (ended(rerun).state, ended(rerun).outcome) == (
        "failed",
        "classifier failed: the classifier needs 8 of each",
    )


def test_progress_of_a_run_that_needs_labels_shows_the_next_step(rerun, gate):
    gate.write_text("next: label 30 on target")
    rerun.start("filter")
    assert (ended(rerun).state, ended(rerun).outcome) == ("next", "next: label 30 on target")


def test_progress_of_a_run_refused_before_its_record_shows_the_line_that_it_printed(rerun, gate):
    gate.write_text("refused: download.query is empty")
    rerun.start("filter")
    assert (ended(rerun).state, ended(rerun).outcome) == ("failed", "refused: download.query is empty")


def test_start_refuses_a_second_run_also_from_another_server(rerun, gate, tmp_path):
    rerun.start("filter")
    for each in (rerun, another(tmp_path, gate)):
        with pytest.raises(UserError, match="under way"):
            each.start("")
    until(gate.with_suffix(".runs").exists)
    assert len(gate.with_suffix(".runs").read_text().splitlines()) == 1


def test_stop_works_from_a_later_server(rerun, gate, tmp_path):
    rerun.start("filter")
    later = another(tmp_path, gate)
    until(lambda: later.progress().percent == 50)
    assert later.stop().state in ("running", "stopped")  # it may be faster than the answer
    assert ended(later).state == "stopped"
    rerun.start("filter")


def test_start_gives_the_run_a_session_of_its_own(rerun):
    rerun.start("filter")
    pid = json.loads((rerun.folder / "run.json").read_text())["pid"]
    assert os.getsid(pid) == pid


def test_stop_without_a_run_is_an_error(rerun, gate):
    with pytest.raises(UserError, match="no run of cats is under way"):
        rerun.stop()
    gate.write_text("done")
    rerun.start("filter")
    ended(rerun)
    with pytest.raises(UserError, match="no run of cats is under way"):
        rerun.stop()


def test_stop_sends_one_signal_a_minute_however_often_it_is_called(rerun, monkeypatch):
    sent = []
    monkeypatch.setattr(background_run.psutil.Process, "send_signal", lambda self, number: sent.append(number))
    record(rerun, *START)
    assert rerun.stop().stopping
    assert rerun.stop().stopping
    assert sent == [signal.SIGINT]
    monkeypatch.setattr(background_run, "STOP_REPEAT_SECONDS", 0)
    assert not rerun.progress().stopping
    rerun.stop()
    assert sent == [signal.SIGINT, signal.SIGINT]


def test_progress_of_a_killed_run_is_failed(rerun):
    rerun.start("filter")
    until(lambda: rerun.progress().percent == 50)
    os.kill(json.loads((rerun.folder / "run.json").read_text())["pid"], signal.SIGKILL)
    found = until(lambda: "signal 9" in (found := rerun.progress()).outcome and found)
    assert (found.state, found.stage) == ("failed", "classifier")


def test_progress_does_not_take_another_process_with_the_same_pid_for_the_run(rerun, gate):
    gate.write_text("done")
    rerun.start("filter")
    ended(rerun)
    path = rerun.folder / "run.json"
    pid = json.loads(path.read_text())["pid"]
    path.write_text(path.read_text().replace(f'"pid": {pid}', f'"pid": {os.getpid()}'))
    assert rerun.progress().state == "done"
    with pytest.raises(UserError):
        rerun.stop()


@pytest.mark.parametrize("how", ["done", "failed", "stopped"])
def test_progress_of_a_run_that_ended_while_no_server_ran_comes_from_its_record(rerun, how):
    rerun.folder.mkdir(parents=True)
    seen = {"until": "filter", "pid": os.getpid(), "born": -1.0, "began": "2026"}
    (rerun.folder / "run.json").write_text(json.dumps(seen))
    made = {"event": "stage", "stage": "filter", "outcome": "ran", "made": "kept 1", "seconds": 3.0}
    record(rerun, *GONE, made, {"event": "end", "outcome": how, "error": "" if how == "done" else "no labels"})
    found = rerun.progress()
    assert (found.state, found.here) == (how, True)
    assert found.outcome == ("filter kept 1" if how == "done" else "no labels")


def test_progress_ignores_a_damaged_run_file(rerun):
    rerun.folder.mkdir(parents=True)
    (rerun.folder / "run.json").write_text("{")
    assert rerun.progress().state == "none"


NOW = datetime.now(timezone.utc)
ME = {"pid": os.getpid(), "born": process_start(os.getpid()), "host": platform.node()}
START = [{"event": "start", **ME}, {"event": "stage_start", "stage": "gan"}]
GONE = [{**START[0], "born": -1.0}, START[1]]
PROGRESS = {"event": "progress", "stage": "gan", "done": 3, "total": 12, "note": "epoch 1 of 4"}


def record(rerun, *rows: dict, name: str = "20260101-000000-000000-1", after: float = 0) -> Path:
    """The record of a run, whoever made it, that began `after` so many seconds; returns its file."""
    folder = rerun.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    at = (NOW + timedelta(seconds=after)).isoformat(timespec="milliseconds")
    (folder / NAME).write_text("".join(json.dumps({"time": at, **row}) + "\n" for row in rows))
    return folder / NAME


def test_progress_shows_a_run_of_a_terminal_and_start_refuses_a_second_one(rerun):
    record(rerun, *START, PROGRESS)
    found = rerun.progress()
    assert (found.state, found.here, found.stage, found.percent) == ("running", False, "gan", 25)
    with pytest.raises(UserError, match="under way"):
        rerun.start("")


def test_stop_works_for_a_run_of_a_terminal(rerun):
    code = "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); print(1, flush=1)"
    with subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        record(rerun, {"event": "start", "pid": process.pid, "born": process_start(process.pid)})
        assert rerun.progress().state == "running"
        rerun.stop()
        assert process.wait(timeout=30) == 7


def test_progress_of_a_waiting_run_shows_what_it_waits_for(rerun):
    record(rerun, *START, PROGRESS, {"event": "wait", "stage": "gan", "reason": "another training uses the GPU"})
    found = rerun.progress()
    assert (found.stage, found.percent, found.note) == ("gan", None, "waits: another training uses the GPU")


def test_progress_prefers_a_run_that_still_works_to_a_newer_one_that_ended(rerun):
    record(rerun, *START, PROGRESS)
    done = [{"event": "stage", "stage": "generate", "outcome": "ran"}, {"event": "end", "outcome": "done"}]
    record(rerun, START[0], *done, name="20260102-000000-000000-1")
    assert (rerun.progress().state, rerun.progress().stage) == ("running", "gan")


def test_progress_of_a_record_without_an_end_is_a_killed_run(rerun):
    record(rerun, *GONE, PROGRESS)
    assert (rerun.progress().state, rerun.progress().outcome) == ("failed", KILLED)


def test_progress_of_a_record_without_an_end_says_if_the_disk_is_full(rerun, monkeypatch):
    record(rerun, *GONE, PROGRESS)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert rerun.progress().outcome.endswith("; the disk is full")


def test_start_on_a_full_disk_leaves_no_process_behind(rerun, gate, monkeypatch):
    started = []
    launch = rerun._launch
    monkeypatch.setattr(rerun, "_launch", lambda *words: started.append(launch(*words)) or started[0])
    monkeypatch.setattr(background_run.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        rerun.start("")
    assert started[0].returncode == -signal.SIGKILL


def test_progress_shows_the_error_of_a_stage_if_the_run_could_not_record_its_end(rerun):
    record(rerun, *GONE, {"event": "stage", "stage": "gan", "outcome": "failed", "error": "too few pictures"})
    assert (rerun.progress().state, rerun.progress().outcome) == ("failed", "gan failed: too few pictures")


def test_progress_reads_records_of_older_and_newer_versions(rerun):
    older = {"event": "start", "pid": os.getpid(), "versions": {}}
    record(rerun, older, {"event": "stage", "stage": "gan", "outcome": "ran", "key": "k", "summary": {}}, after=60)
    assert (rerun.progress().state, rerun.progress().lines) == ("running", ("gan        ran",))
    record(rerun, older, after=-(10**8))  # the process with this number began after that record
    assert rerun.progress().state == "failed"
    newer = {"event": "mood", "stage": "gan", "mood": 3}
    record(rerun, *START, newer, PROGRESS, {"event": "stage", "stage": "gan", "outcome": "postponed"})
    assert (rerun.progress().state, rerun.progress().done) == ("running", 3)


def test_progress_shows_a_run_on_another_machine_while_it_writes_and_stop_refuses_it(rerun):
    path = record(rerun, {**START[0], "host": "elsewhere"}, START[1], PROGRESS)
    assert rerun.progress().state == "running"
    with pytest.raises(UserError, match="on another machine"):
        rerun.stop()
    os.utime(path, (0, 0))
    assert (rerun.progress().state, rerun.progress().outcome) == (
        "ended",
        "elsewhere has written nothing for 15 minutes",
    )


def test_progress_of_a_run_that_ended_unseen_before_its_record_shows_its_last_line(rerun):
    rerun.folder.mkdir(parents=True)
    gone = {"until": "filter", "pid": os.getpid(), "born": -1.0, "began": NOW.isoformat(timespec="milliseconds")}
    (rerun.folder / "run.json").write_text(json.dumps(gone))
    (rerun.folder / "log.txt").write_text("error: no labels\n")
    assert (rerun.progress().state, rerun.progress().outcome) == ("ended", "no labels")
    record(rerun, *START, PROGRESS, after=60)
    assert rerun.progress().state == "running"


@pytest.mark.parametrize(
    ("code", "state"), [(0, "done"), (130, "stopped"), (-signal.SIGINT, "stopped"), (1, "failed"), (-9, "failed")]
)
def test_progress_follows_the_exit_code_if_the_record_has_no_end(rerun, code, state):
    record(rerun, *GONE)
    rerun.folder.mkdir(parents=True)
    seen = {"until": "filter", "pid": os.getpid(), "born": -1.0, "began": "2026", "code": code}
    (rerun.folder / "run.json").write_text(json.dumps(seen))
    assert (rerun.progress().state, rerun.progress().here) == (state, True)


def test_progress_makes_hostile_text_one_short_printable_line(rerun):
    evil = "\x1b[2J\u202e<img src=x onerror=alert(1)>\n" + "x" * 100_000
    record(
        rerun,
        *START,
        {**PROGRESS, "note": evil},
        {"event": "stage", "stage": "gan", "outcome": "failed", "error": evil},
    )
    found = rerun.progress()
    assert all(line.isprintable() and len(line) <= 2000 for line in found.lines)
    assert found.note.isprintable()
    assert len(found.note) <= 200
    record(rerun, *GONE, {"event": "end", "outcome": "failed", "error": evil})
    assert rerun.progress().outcome.isprintable()
    assert len(rerun.progress().outcome) <= 2000
