"""The tasks of a night in Luigi: order, failures, hours, interruptions, missed nights; turns take no time."""

import errno
from datetime import date, timedelta

import luigi
import pytest
from filelock import FileLock

from pipeline import night_record
from pipeline.night_record import SUMMARY, NightSummary, Turn
from pipeline.report import night_page
from tasks import disk_budget, runner, signals
from tasks.cli import main
from tasks.disk_budget import Freed
from tasks.nightly import night_files, nightly_command, subject_turn, webhook
from tasks.nightly.night_tasks import Night, RangeDaily

TODAY = date.today()
PAST = TODAY - timedelta(days=2)


def outcomes(night: date = TODAY) -> dict[str, str]:
    return {name: turn.outcome for name, turn in night_files.turns(night).items()}


def summary(night: date = TODAY) -> NightSummary:
    found = night_files.summary(night)
    assert found is not None
    return found


def test_every_subject_has_its_turn_and_the_page_is_made(turns, capsys):
    assert main(["nightly"]) == 0
    assert turns.given == ["cats", "dogs", "koalas"]
    assert outcomes() == dict.fromkeys(turns.given, "done")
    page = night_files.PAGES / "latest" / "index.html"
    assert "Night of" in page.read_text()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"night of {TODAY}: 3 subjects, 8 h at most"
    assert lines[1].startswith("cats: done in 1 min 00 s; 14 new pictures; kept 20 → 25; KID 0.500 → 0.400: better")
    assert lines[-1] == f"night of {TODAY}: 3 done; generated/nightly/{TODAY}/index.html"


@pytest.mark.parametrize(("outcome", "code"), [("failed", 1), ("killed", 1), ("hung", 1), ("next", 3)])
def test_a_subject_that_fails_holds_up_no_other(turns, outcome, code):
    turns.outcomes["cats"] = outcome
    assert main(["nightly"]) == code
    assert outcomes() == {"cats": outcome, "dogs": "done", "koalas": "done"}
    assert summary().counts()[outcome] == 1


def test_a_turn_that_the_end_of_the_hours_cut_short_goes_on_when_there_are_more(turns):
    turns.outcomes, turns.seconds = {"cats": "cut"}, 3600.0
    assert main(["nightly", "--hours", "1"]) == 0
    assert outcomes() == {"cats": "cut", "dogs": "skipped", "koalas": "skipped"}
    turns.outcomes, turns.seconds = {}, 60.0
    assert main(["nightly"]) == 0
    assert outcomes() == dict.fromkeys(["cats", "dogs", "koalas"], "done")


def test_a_night_that_is_done_is_not_done_again(turns, capsys):
    turns.outcomes = {"dogs": "failed"}
    assert main(["nightly"]) == 1
    capsys.readouterr()
    assert main(["nightly"]) == 1
    assert len(turns.given) == 3
    assert f"every turn was taken before: night of {TODAY}: 2 done, 1 failed" in capsys.readouterr().err


def test_subjects_come_in_the_order_of_their_need(turns):
    yesterday = TODAY - timedelta(days=1)
    for name, outcome in (("cats", "done"), ("dogs", "failed"), ("koalas", "skipped")):
        (night_files.Path("data") / name / "runs").mkdir(parents=True)
        night_files.write_turn(yesterday, Turn(subject=name, outcome=outcome))
    assert main(["nightly"]) == 0
    assert turns.given == ["koalas", "dogs", "cats"]


def test_a_night_that_was_interrupted_goes_on_with_the_subjects_that_are_left(turns, capsys, monkeypatch):
    turns.stops_at = "dogs"
    monkeypatch.setattr(signals, "should_stop", lambda: turns.given == ["cats"])
    assert main(["nightly"]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not (night_files.folder(TODAY) / SUMMARY).exists()
    turns.stops_at = ""
    monkeypatch.setattr(signals, "should_stop", lambda: False)
    assert main(["nightly"]) == 0
    assert turns.given == ["cats", "dogs", "koalas"]


def test_when_the_hours_are_over_the_others_are_named_and_come_when_there_are_more(turns):
    turns.seconds = 3600.0
    assert main(["nightly", "--hours", "2"]) == 0
    assert outcomes() == {"cats": "done", "dogs": "done", "koalas": "skipped"}
    assert night_files.turn(TODAY, "koalas").line == "the hours of the night were over: 2 at most"
    assert main(["nightly", "--hours", "2"]) == 0
    assert turns.given == ["cats", "dogs"]
    assert main(["nightly", "--hours", "3"]) == 0
    assert turns.given == ["cats", "dogs", "koalas"]
    assert summary().counts() == {"done": 3}


def test_a_subject_that_is_named_later_in_the_day_has_its_turn_too(turns):
    assert main(["nightly", "--subjects", "dogs"]) == 0
    assert main(["nightly"]) == 0
    assert turns.given == ["dogs", "cats", "koalas"]
    assert [turn.subject for turn in summary().turns] == turns.given


def test_a_turn_that_another_night_left_at_work_comes_to_its_end_first(turns, monkeypatch, capsys):
    left = [(PAST, "mice")]
    monkeypatch.setattr(subject_turn, "abandoned", lambda night: [each for each in left if "mice" not in turns.given])
    assert main(["nightly"]) == 0
    assert turns.given == ["mice", "cats", "dogs", "koalas"]
    assert outcomes(PAST) == {"mice": "done"}
    assert f"waits: mice is at work since the night of {PAST}" in capsys.readouterr().err


def test_missed_nights_give_each_subject_one_turn(turns, capsys):
    assert main(["nightly", "--missed", "2"]) == 0
    assert turns.given == ["cats", "dogs", "koalas"]
    assert outcomes(PAST) == dict.fromkeys(turns.given, "covered")
    assert summary(PAST).turns[0].line == f"had its turn in the night of {TODAY}"
    assert (night_files.PAGES / "latest").resolve().name == TODAY.isoformat()
    assert main(["nightly", "--missed", "2"]) == 0


def test_the_news_of_tonight_do_not_wait_for_the_turns_of_missed_nights(turns, monkeypatch):
    plan = night_record.NightPlan(began="", subjects=(night_record.PlannedSubject(name="mice"),))
    night_files.write(PAST, night_record.PLAN, plan)
    sent = []
    monkeypatch.setattr(
        webhook, "post", lambda address, body: sent.append((body["night"], len(turns.given))) or "webhook: sent"
    )
    assert main(["nightly", "--missed", "2", "--webhook", "http://example.org/"]) == 0
    assert turns.given == ["cats", "dogs", "koalas", "mice"]
    assert (sent[0], sent[-1]) == ((str(TODAY), 3), (str(PAST), 4))


def test_a_missed_night_goes_on_with_the_subjects_it_had(turns):
    plan = night_record.NightPlan(began="", subjects=(night_record.PlannedSubject(name="dogs"),))
    night_files.write(PAST, night_record.PLAN, plan)
    assert main(["nightly", "--date", str(PAST)]) == 0
    assert outcomes(PAST) == {"dogs": "done"}


def test_tidying_leaves_the_records_of_the_nights_that_are_made_up_for(turns):
    old = TODAY - timedelta(days=5)
    assert main(["nightly", "--date", str(TODAY), "--subjects", "dogs"]) == 0
    assert main(["nightly", "--date", str(old), "--days", "2"]) == 0
    assert outcomes(old) == {"cats": "done", "dogs": "covered", "koalas": "done"}
    assert main(["nightly", "--missed", "6", "--days", "2"]) == 0
    assert outcomes(old) == {"cats": "done", "dogs": "covered", "koalas": "done"}
    assert summary(TODAY - timedelta(days=6)).counts() == {"covered": 3}


def test_a_night_that_began_long_ago_goes_on_though_old_nights_are_deleted(turns):
    plan = night_record.NightPlan(
        began="2020-01-01T02:00:00+00:00", subjects=(night_record.PlannedSubject(name="dogs"),)
    )
    for night in (date(2020, 1, 1), date(2020, 1, 2)):
        night_files.write(night, night_record.PLAN, plan)
    assert main(["nightly"]) == 0
    assert main(["nightly", "--date", "2020-01-01", "--days", "2"]) == 0
    assert summary(date(2020, 1, 1)).counts() == {"covered": 1}
    assert night_files.plan(date(2020, 1, 2)) is not None


def test_luigis_own_range_makes_missed_nights(turns):
    task = RangeDaily(of=Night, start=PAST, stop=TODAY + timedelta(days=1), reverse=True, days_forward=2)
    assert luigi.build([task], runner.Factory(), local_scheduler=True, workers=1)
    assert task.complete()
    assert turns.given == ["cats", "dogs", "koalas"]


def test_the_night_of_tomorrow_is_refused_and_that_of_today_is_made(turns):
    task = RangeDaily(of=Night, start=TODAY, stop=TODAY + timedelta(days=2), days_forward=3)
    assert not luigi.build([task], runner.Factory(), local_scheduler=True, workers=1)
    assert summary().counts() == {"done": 3}
    assert night_files.dates() == [TODAY]


def test_luigis_own_command_is_refused_while_a_night_is_at_work(turns):
    night_files.ROOT.mkdir(parents=True)
    with FileLock(night_files.ROOT / ".nightly.lock"):
        assert not luigi.build([Night(date=TODAY)], runner.Factory(), local_scheduler=True, workers=1)
    assert turns.given == []


def test_a_night_has_one_significant_parameter(turns):
    assert Night(date=TODAY, options="minutes=1").task_id == Night(date=TODAY).task_id


def test_a_luigid_that_does_not_answer_costs_no_night(turns, capsys):
    assert main(["nightly", "--scheduler", "http://127.0.0.1:9"]) == 0
    assert "the night reports to nobody: luigid at http://127.0.0.1:9 does not answer" in capsys.readouterr().err
    assert len(turns.given) == 3


def test_luigid_is_not_told_the_address_of_the_webhook(turns):
    for missed in (0, 2):
        task = nightly_command._task(TODAY, missed, {"webhook": "http://me:secret@example.org/"})
        for each in (task, *luigi.task.flatten(task.requires())):
            assert "secret" not in f"{each.to_str_params()} {each.task_id}"


def test_two_nights_at_once_are_refused(turns, capsys):
    night_files.ROOT.mkdir(parents=True)
    (night_files.ROOT / "owner.txt").write_text("process 77, since 02:00 UTC\n")
    with FileLock(night_files.ROOT / ".nightly.lock"):
        assert main(["nightly"]) == 2
    said = capsys.readouterr().err
    assert "error: another night is at work (process 77, since 02:00 UTC); wait for it, or stop it" in said
    assert turns.given == []


def test_a_dry_run_says_who_would_come_and_writes_nothing(turns, capsys):
    assert main(["nightly", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "cats    never ran\ndogs    never ran\nkoalas  never ran\n"
    assert not night_files.ROOT.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--date", "tomorrow"], "--date tomorrow: expected a date, for example"),
        (["--date", "2999-01-01"], "this night has not come yet"),
        (["--missed", "-1"], "--missed -1: expected a whole number from 0"),
        (["--missed", "999"], "--missed 999: expected a whole number from 0 to 100"),
        (["--subjects", "a/b"], "dataset = 'a/b': expected letters"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(turns, capsys, words, says):
    assert main(["nightly", *words]) == 2
    assert says in capsys.readouterr().err
    assert not night_files.ROOT.exists()


def test_a_disk_that_cannot_be_tidied_does_not_fail_the_night(turns, capsys):
    (night_files.Path("data") / "broken" / "runs").mkdir(parents=True)
    (night_files.Path("data") / "broken" / "labels.jsonl").write_text("{\n")
    assert main(["nightly", "--gib", "100"]) == 0
    assert "broken is left alone: " in summary().budget
    assert "disk: broken is left alone" in capsys.readouterr().err


def test_a_night_on_a_full_disk_ends_and_its_news_are_sent(turns, monkeypatch, capsys):
    def refuse(path, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    posted = []
    monkeypatch.setattr(webhook, "post", lambda address, body: posted.append(body) or "webhook: sent")
    monkeypatch.setattr(night_record, "write_whole", refuse)
    monkeypatch.setattr(night_page, "write_whole", refuse)
    assert main(["nightly", "--webhook", "http://example.org/"]) == 1
    assert turns.given == ["cats", "dogs", "koalas"]
    (body,) = posted
    assert body["counts"] == {"failed": 3}
    assert "its turn cannot be recorded: " in body["subjects"][0]["line"]
    assert body["budget"].startswith("the page could not be written: ")
    assert "No space left on device" in capsys.readouterr().err
    assert not list(night_files.folder(TODAY).rglob("*.json"))


def test_a_turn_that_the_disk_ends_is_a_failed_turn(turns, monkeypatch):
    def give(night, subject, options, *, need):
        raise OSError(errno.ENOSPC, "No space left on device", "x.json")

    monkeypatch.setattr(subject_turn, "give_turn", give)
    assert main(["nightly"]) == 1
    assert night_files.turn(TODAY, "cats").line.startswith("x.json: No space left on device")


def test_the_disk_is_brought_into_its_budget_before_the_turns_too(turns, monkeypatch, capsys):
    given = []
    freed = Freed(removed={night_files.ROOT: 3 << 30})
    monkeypatch.setattr(disk_budget, "keep_within", lambda *_, **__: given.append(len(turns.given)) or freed)
    assert main(["nightly", "--gib", "1"]) == 0
    assert given == [0, 3]
    assert "disk: 3.0 GiB freed" in capsys.readouterr().err


def test_a_night_that_is_not_finished_is_the_default_for_some_hours(turns):
    from datetime import datetime, timezone

    now = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)
    night = date(2026, 11, 30)
    assert night_files.default_date(now) == now.date()
    plan = night_record.NightPlan(began="2026-11-30T22:00:00+00:00", subjects=())
    night_files.write(night, night_record.PLAN, plan)
    assert night_files.default_date(now) == night
    assert night_files.default_date(now + timedelta(hours=12)) == now.date()
    night_files.write(night, night_record.NEWS, night_record.News(summary=""))
    assert night_files.default_date(now) == now.date()


def test_missed_nights_that_were_interrupted_do_not_hold_up_that_of_today(turns, monkeypatch):
    turns.stops_at = "dogs"
    monkeypatch.setattr(signals, "should_stop", lambda: turns.given == ["cats"])
    assert main(["nightly", "--date", str(PAST), "--missed", "1"]) == 130
    turns.stops_at = ""
    monkeypatch.setattr(signals, "should_stop", lambda: False)
    assert main(["nightly"]) == 0
    assert summary(TODAY).date == TODAY
    assert night_files.summary(PAST) is None
