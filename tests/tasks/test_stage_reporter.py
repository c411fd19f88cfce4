"""What becomes of a stage's calls of `progress`: few records, the last one among them."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.run_record import StageAdvanced, read_events
from pipeline.store.manifest import Manifest
from tasks import stage_reporter
from tasks.run_log import RunLog
from tasks.stage_reporter import StageReporter

KEY = "a" * 64


@pytest.fixture
def record(tmp_path):
    return RunLog(tmp_path / "run")


def advanced(record) -> list[StageAdvanced]:
    return [event for event in read_events(record.path) if isinstance(event, StageAdvanced)]


def reporter(record, told=None, clock=lambda: 0.0) -> StageReporter:
    messages = [] if told is None else told
    return StageReporter(record, "report", lambda *message: messages.append(message), clock=clock)


def test_reporter_writes_at_most_one_event_a_second_and_always_the_last_one(record):
    now = SimpleNamespace(time=0.0)
    report = reporter(record, clock=lambda: now.time)
    for number in range(1000):
        now.time = number / 100
        report.progress(number, 1000)
    report.failed("failed", "no more", KEY)
    assert [event.done for event in advanced(record)] == [*range(0, 1000, 100), 999]


def test_reporter_keeps_the_record_of_a_month_below_a_megabyte(record, monkeypatch):
    monkeypatch.setattr("tasks.run_log.os.fsync", lambda _: None)
    now = SimpleNamespace(time=0.0)
    report = reporter(record, clock=lambda: now.time)
    month, calls = 30 * 24 * 3600, 200_000
    for number in range(calls):
        now.time = month * number / calls
        report.progress(number, calls, "epoch 12345 of 99999, D 0.61, G 1.20, 1234 images/s")
    assert 1000 < len(advanced(record)) < 5000
    assert record.path.stat().st_size < 1 << 20
    assert advanced(record)[-1].done >= calls * (1 - 2 / stage_reporter.STEPS)


def test_reporter_does_not_touch_the_disk_for_a_call_within_the_second(record, monkeypatch):
    report = reporter(record)
    report.progress(0, 9)
    monkeypatch.setattr(RunLog, "add", lambda *_, **__: pytest.fail("an event was written"))
    for number in range(9):
        report.progress(number, 9)


def test_reporter_says_progress_on_the_console_and_to_luigid_every_ten_seconds(record, capsys):
    now, told = SimpleNamespace(time=0.0), []
    report = reporter(record, told, clock=lambda: now.time)
    for number in range(26):
        now.time = float(number)
        report.progress(number, 25, "painting")
    assert capsys.readouterr().err.splitlines() == [
        "report     10 of 25 (40 %) painting",
        "report     20 of 25 (80 %) painting",
    ]
    assert told == [("painting", 40), ("painting", 80)]


@pytest.mark.parametrize("watched", [True, False])
def test_reporter_records_and_prints_each_line_that_a_stage_tells(record, capsys, monkeypatch, watched):
    monkeypatch.setattr("sys.stderr.isatty", lambda: watched)
    report = reporter(record)
    report.progress(1, 9)
    report.tell("alarm since epoch 3: a plateau")
    report.tell("recovered at epoch 4: a plateau")
    assert [event.text for event in read_events(record.path) if event.event == "note"] == [
        "alarm since epoch 3: a plateau",
        "recovered at epoch 4: a plateau",
    ]
    shown = capsys.readouterr().err
    assert shown.count("report     alarm since epoch 3: a plateau") == 1
    assert shown.count("report     recovered at epoch 4: a plateau") == 1


def test_reporter_takes_numbers_of_numpy(record):
    reporter(record).progress(np.int64(3), np.int32(6))
    assert [(event.done, event.total, event.percent) for event in advanced(record)] == [(3, 6, 50)]


def test_reporter_cuts_a_long_note_and_takes_control_characters_out_of_it(record, capsys):
    reporter(record).progress(1, 2, "\x1b[31m" + "x" * 10_000 + "\n")
    assert len(advanced(record)[0].note) == 200
    assert record.path.stat().st_size < 1000
    assert advanced(record)[0].line().isprintable()


def test_reporter_goes_on_when_the_disk_takes_no_record(tmp_path, capsys):
    (tmp_path / "run").write_text("a file where a folder is needed")
    report = reporter(RunLog(tmp_path / "run"))
    report.started(KEY)
    for number in range(100):
        report.progress(number, 100)
    manifest = {"version": 1, "dataset": "x", "options": {}, "inputs": {}, "seconds": 1.0}
    report.made(Manifest(stage="report", key=KEY, summary={"figures": 3}, **manifest))
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("the record of this run cannot be written: ")
    assert others == ["report     starts", "report     page with 3 figures (1.0 s)"]


def test_reporter_draws_a_bar_in_a_terminal_and_no_plain_lines(record, monkeypatch, capsys):
    monkeypatch.setattr(stage_reporter.sys.stderr, "isatty", lambda: True, raising=False)
    report = reporter(record)
    report.started(KEY)
    report.progress(1, 4, "painting")
    report.failed("stopped", "stopped", KEY)
    drawn = capsys.readouterr().err
    assert drawn.startswith("\rreport    :")
    assert "starts" not in drawn
