"""The turn of one subject: its command, how it ended, and what is kept of it."""

import os
import signal
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pipeline.night_record import Figures, RunningTurn, Turn
from pipeline.run_record import RunState, process_start
from tasks import run_log
from tasks.nightly import night_files, subject_turn
from tasks.nightly.night_options import NightlyOptions
from tasks.nightly.subject_process import ProcessEnd
from tasks.nightly.subject_turn import command, give_turn, seconds_left, turn_end, turn_since
from tests.tasks.nightly.conftest import FakeStart

NIGHT = date(2026, 11, 30)
OPTIONS = NightlyOptions()


@pytest.fixture(autouse=True)
def folder(configure):
    return configure("")


def ended(code: int | None = 0, *, ended_by="", was_killed=False) -> ProcessEnd:
    return ProcessEnd(code=code, ended_by=ended_by, seconds=90.0, was_killed=was_killed)


def run_of(pid: int, outcome: str = "", error: str = "", *, stage: str = "") -> RunState:
    """The state of a recorded run of the process `pid`, at work unless it has an `outcome`."""
    record = run_log.RunLog(run_log.runs_folder("cats") / "20261130-020000-000000-7")
    record.add("start", pid=pid, born=1.0, host="", versions={})
    if stage:
        record.add("stage_start", stage=stage)
    if outcome:
        record.add("end", outcome=outcome, error=error)
    return record.state()


def test_the_command_is_a_run_whose_flags_are_not_remembered():
    words = command("cats", NightlyOptions(minutes=12.5, steps=("refresh", "filter", "train")))[1:]
    assert " ".join(words) == (
        "-m tasks run --dataset cats --unremembered --refresh --until gan --gan-max-minutes=12.5"
    )
    assert command("cats", NightlyOptions(minutes=None, steps=("sample",)))[3:] == [
        "run", "--dataset", "cats", "--unremembered",
    ]  # fmt: skip


def test_a_turn_reports_to_the_luigid_of_the_night(configure):
    configure("[core]\nscheduler_url = http://127.0.0.1:8082\n")
    assert command("cats", OPTIONS)[-2:] == ["--scheduler", "http://127.0.0.1:8082"]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("done", ""), ("next", "next: label 30 on target"), ("failed", "download   failed: no network"), ("stopped", "x")],
)
def test_a_turn_ends_as_its_run_says(outcome, error):
    found = turn_end(run_of(7, outcome, error), ended(1), Path("none"))
    assert (found.outcome, found.line) == (outcome, " ".join(error.split()))


def test_a_process_that_died_is_killed_whatever_its_stage():
    found = turn_end(run_of(7, stage="gan"), ended(-signal.SIGKILL), Path("none"))
    assert found.outcome == "killed"
    assert "ended by signal 9" in found.line
    assert "in the stage gan" in found.line


def test_a_process_without_a_record_ends_as_its_last_line_says(folder):
    (folder / "log.txt").write_text("a warning\nerror: there is no \x1b[31mquery\n\n")
    found = turn_end(None, ended(2), folder / "log.txt")
    assert (found.outcome, found.line) == ("failed", "there is no \x1b[31mquery")


def test_over_its_time_it_hangs_unless_it_was_done_in_that_moment():
    found = turn_end(run_of(7, stage="gan"), ended(-9, ended_by="hung", was_killed=True), Path("none"))
    assert (found.outcome, found.line) == (
        "hung",
        "over its time after 1 min 30 s in the stage gan: killed, as it did not stop",
    )
    assert turn_end(run_of(7, "done"), ended(0, ended_by="hung"), Path("none")).outcome == "done"


def test_at_the_end_of_the_hours_it_is_cut():
    found = turn_end(run_of(7, "stopped", "stopped", stage="gan"), ended(130, ended_by="cut"), Path("none"))
    assert (found.outcome, found.line) == (
        "cut",
        "the hours of the night were over in the stage gan; the next night continues",
    )


def test_what_only_waited_is_no_failure():
    found = turn_end(run_of(7, "stopped", "stopped", stage="gan"), ended(130, ended_by="waited"), Path("none"))
    assert found.outcome == "waited"
    assert "another run was at work all the time, for which it waited in the stage gan" in found.line


def test_how_long_a_turn_has_waited_is_what_its_run_says(monkeypatch):
    run_of(os.getpid())
    record = run_log.newest("cats")[0]
    record.add("wait", stage="gan", reason="another training on this machine")
    began = (datetime.now(timezone.utc) - timedelta(hours=2)).isoformat()
    running = RunningTurn(pid=os.getpid(), born=process_start(os.getpid()), began=began)
    night_files.write_running(NIGHT, "cats", running)
    waits = []
    monkeypatch.setattr(
        subject_turn, "follow", lambda *_, waited, **__: waits.extend([waited(), waited()]) or ended(None)
    )
    give_turn(NIGHT, "cats", OPTIONS, need="", start=FakeStart())
    assert 0 < waits[0] < waits[1] < 60


def test_what_a_killed_command_of_another_night_left_at_work_is_found():
    alive = RunningTurn(pid=os.getpid(), born=process_start(os.getpid()), began="2026-11-29T02:00:00+00:00")
    for night, name, running in (
        (NIGHT - timedelta(days=1), "cats", alive),
        (NIGHT - timedelta(days=2), "dogs", alive.model_copy(update={"born": 1.0})),
        (NIGHT, "koalas", alive),
    ):
        night_files.write_running(night, name, running)
    assert subject_turn.abandoned(NIGHT) == [(NIGHT - timedelta(days=1), "cats")]


def test_what_a_turn_came_to_is_kept(folder):
    start = FakeStart(2, "error: source 'bing' needs a search term\n")
    found = give_turn(NIGHT, "cats", OPTIONS, need="never ran", start=start)
    assert (found.outcome, found.line, found.need) == ("failed", "source 'bing' needs a search term", "never ran")
    assert night_files.turn(NIGHT, "cats") == found
    assert night_files.running(NIGHT, "cats") is None
    assert start.commands == [command("cats", OPTIONS)]


def test_escape_codes_of_a_log_never_reach_the_record():
    found = give_turn(NIGHT, "cats", OPTIONS, need="", start=FakeStart(1, "error: \x1b[2Jgone\u202e\n"))
    assert found.line == "[2Jgone"


def test_a_process_that_cannot_be_started_is_a_failed_turn():
    def start(words, log):
        raise OSError(12, "Cannot allocate memory")

    found = give_turn(NIGHT, "cats", OPTIONS, need="", start=start)
    assert (found.outcome, found.line) == ("failed", "its process could not be started: Cannot allocate memory")


def test_a_run_that_ended_while_nobody_followed_is_not_made_again():
    run_of(2**30, "done")
    night_files.write_running(NIGHT, "cats", RunningTurn(pid=2**30, born=1.0, began="2026-11-30T02:00:00+00:00"))
    found = give_turn(NIGHT, "cats", OPTIONS, need="", start=FakeStart(1, "never called"))
    assert found.outcome == "done"


def test_a_turn_that_was_interrupted_is_compared_with_what_was_before_it():
    before = Figures(pictures=3)
    running = RunningTurn(pid=2**30, born=1.0, began="2026-11-30T02:00:00+00:00", before=before)
    night_files.write_running(NIGHT, "cats", running)
    found = give_turn(NIGHT, "cats", OPTIONS, need="", start=(start := FakeStart()))
    assert len(start.commands) == 1
    assert found.before == before


def test_a_process_that_still_works_is_followed_and_no_second_one_started(monkeypatch):
    running = RunningTurn(pid=os.getpid(), born=process_start(os.getpid()), began="2026-11-30T02:00:00+00:00")
    night_files.write_running(NIGHT, "cats", running)
    followed = []
    monkeypatch.setattr(subject_turn, "follow", lambda process, **keywords: followed.append(process.pid) or ended(None))
    give_turn(NIGHT, "cats", OPTIONS, need="", start=(start := FakeStart()))
    assert (followed, start.commands) == ([os.getpid()], [])


def test_hours_are_counted_by_the_turns_that_were_had():
    assert seconds_left(NIGHT, NightlyOptions(hours=1)) == 3600
    for name, seconds in (("cats", 600.0), ("dogs", 3500.0)):
        night_files.write_turn(NIGHT, Turn(subject=name, outcome="done", seconds=seconds))
    assert seconds_left(NIGHT, NightlyOptions(hours=1)) == 0
    assert seconds_left(NIGHT, NightlyOptions(hours=0)) is None


def test_a_missed_night_has_nothing_to_make_up_for_if_a_turn_came_since():
    now = datetime.now(timezone.utc)
    today, past = now.astimezone().date(), now.astimezone().date() - timedelta(days=3)
    assert turn_since(past, "cats", command_began=now) is None
    night_files.write_turn(today, Turn(subject="cats", outcome="failed", began=now.isoformat()))
    night_files.write_turn(today, Turn(subject="dogs", outcome="skipped", began=now.isoformat()))
    assert turn_since(past, "cats", command_began=now) == today
    assert turn_since(past, "dogs", command_began=now) is None


def test_a_night_that_ran_past_midnight_is_no_turn_of_the_next():
    began = datetime.now(timezone.utc) - timedelta(hours=2)
    today = datetime.now().astimezone().date()
    night_files.write_turn(today - timedelta(days=1), Turn(subject="cats", outcome="done", began=began.isoformat()))
    assert turn_since(today, "cats", command_began=datetime.now(timezone.utc)) is None
