"""The record of a run: what its events say, and how the run stands by them."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone

import psutil
import pytest

from pipeline import run_record
from pipeline.run_record import (
    KINDS,
    NAME,
    Event,
    StageAdvanced,
    StageEnded,
    duration,
    keys_used,
    process_start,
    read_events,
    read_state,
    seconds_waited,
)


def write(folder, *rows):
    """A record with `rows`."""
    (folder / NAME).write_text("".join(json.dumps({"time": "x", **row}) + "\n" for row in rows), encoding="utf-8")


def advanced(done, total, note=""):
    return StageAdvanced(event="progress", time="x", stage="gan", done=done, total=total, note=note)


@pytest.mark.parametrize(
    ("done", "total", "percent", "line"),
    [
        (0, 0, None, "gan        0"),
        (7, 0, None, "gan        7 epochs"),
        (1, 3, 33, "gan        1 of 3 (33 %)"),
        (9, 3, 100, "gan        9 of 3 (100 %)"),
    ],
)
def test_progress_has_a_percentage_if_the_total_is_known(done, total, percent, line):
    event = advanced(done, total, "epochs" if "epochs" in line else "")
    assert (event.percent, event.line()) == (percent, line)


def test_line_of_an_event_has_no_control_characters():
    assert "\x1b" not in advanced(1, 2, "\x1b[2J\n").line()


def test_line_of_a_stage_says_what_it_made_or_why_it_failed():
    facts = {"event": "stage", "time": "x", "stage": "filter"}
    assert StageEnded(outcome="ran", made="kept 9", seconds=61, **facts).line() == "filter     kept 9 (1 min 01 s)"
    assert StageEnded(outcome="failed", error="too few", **facts).line() == "filter     failed: too few"
    assert StageEnded(outcome="reused", **facts).line() == "filter     reused"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.24, "3.2 s"), (59.9, "59.9 s"), (245, "4 min 05 s"), (7800, "2 h 10 min")]
)
def test_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


def test_state_of_a_run_that_was_killed_has_no_outcome(tmp_path):
    write(
        tmp_path,
        {"event": "start", "pid": 7, "born": 1.5, "host": "here"},
        {"event": "plan", "until": "filter", "stages": ["classifier", "filter"]},
        {"event": "stage_start", "stage": "classifier"},
        {"event": "progress", "stage": "classifier", "done": 1, "total": 4},
    )
    state = read_state(tmp_path)
    assert (state.pid, state.born, state.until, state.planned) == (7, 1.5, "filter", ("classifier", "filter"))
    assert (state.stage, state.progress.percent, state.outcome) == ("classifier", 25, "")


def test_state_of_a_run_that_is_done_ends_with_what_its_last_planned_stage_made(tmp_path):
    write(
        tmp_path,
        {"event": "plan", "stages": ["classifier", "filter"]},
        {"event": "stage", "stage": "filter", "outcome": "reused", "made": "kept 9"},
        {"event": "stage", "stage": "classifier", "outcome": "ran", "made": "learned"},
        {"event": "end", "outcome": "done"},
    )
    assert (read_state(tmp_path).outcome, read_state(tmp_path).final_line) == ("done", "filter kept 9")


def test_state_of_a_failed_stage_is_failed_even_if_the_run_could_not_record_its_end(tmp_path):
    write(tmp_path, {"event": "stage", "stage": "gan", "outcome": "failed", "error": "no memory"})
    assert (read_state(tmp_path).outcome, read_state(tmp_path).final_line) == ("failed", "gan failed: no memory")


def test_state_of_a_stage_that_waits_shows_what_for_and_no_progress(tmp_path):
    write(
        tmp_path,
        {"event": "progress", "stage": "gan", "done": 1, "total": 4},
        {"event": "wait", "stage": "gan", "reason": "another run trains"},
    )
    assert (read_state(tmp_path).waits, read_state(tmp_path).progress) == ("another run trains", None)


def test_state_shows_the_newest_of_several_lines_on_progress(tmp_path):
    write(tmp_path, *({"event": "progress", "stage": "gan", "done": done, "total": 4} for done in range(4)))
    assert list(read_state(tmp_path).lines) == ["gan        3 of 4 (75 %)"]


def test_read_events_reads_both_ends_of_a_record_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(run_record, "LARGEST", 4000)
    monkeypatch.setattr(run_record, "HEAD", 1000)
    rows = [{"event": "start", "time": "x", "pid": 7}]
    rows += [{"event": "progress", "time": "x", "stage": "gan", "done": each, "total": 5000} for each in range(5000)]
    write(tmp_path, *rows)
    state = read_state(tmp_path)
    assert (state.pid, state.progress.done) == (7, 4999)
    assert len(read_events(tmp_path / NAME)) < 60


def test_process_start_tells_a_process_from_a_later_one_and_from_one_that_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        first = process_start(process.pid)
        assert first == process_start(process.pid) >= process_start(os.getpid())
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert process_start(process.pid) is None
    assert process_start(process.pid) is None
    assert process_start(-5) is None
    assert process_start(10**30) is None


def test_keys_used_are_those_of_the_newest_run_first(tmp_path):
    for run, rows in {"1": [("a", "ran")], "2": [("b", "ran"), ("x", "failed")], "3": [("a", "reused")]}.items():
        (tmp_path / run).mkdir()
        lines = [
            {"event": "stage", "time": "t", "stage": "filter", "outcome": outcome, "key": key} for key, outcome in rows
        ] + [{"event": "stage", "time": "t", "stage": "gan", "outcome": "ran", "key": "g"}]
        (tmp_path / run / "record.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "4").mkdir()  # a trial
    trial = {"event": "stage", "stage": "filter", "outcome": "ran", "key": "z"}
    write(tmp_path / "4", {"event": "options", "once": True}, trial)
    assert read_state(tmp_path / "4").is_trial
    assert keys_used(tmp_path, "filter") == ["a", "b"]
    assert keys_used(tmp_path / "missing", "filter") == []


def test_events_without_progress_are_all_others(tmp_path):
    told = {"event": "note", "stage": "gan", "text": 'a text with "event": "progress" in it'}
    write(
        tmp_path,
        {"event": "end", "outcome": "done"},
        told,
        *[{"event": "progress", "stage": "gan", "done": 1, "total": 2}] * 3,
    )
    (tmp_path / NAME).open("a").write('{"event": "progress", "time": "x", "stage": "gan", "done": 2, "total": 2}\n')
    assert len(read_events(tmp_path / NAME)) == 6
    assert [event.event for event in read_events(tmp_path / NAME, progress=False)] == ["end", "note"]


def test_words_of_progress_begin_with_what_is_done_if_the_total_is_not_known():
    assert advanced(310, 0, "steps, epoch 21").words == "310 steps, epoch 21"
    assert advanced(3, 12, "epoch 1 of 4").words == "epoch 1 of 4"


def test_seconds_waited_are_those_until_something_else_happens():
    def at(seconds: int, event: str, **facts) -> Event:
        time = f"2026-11-30T02:{seconds // 60:02d}:{seconds % 60:02d}.000+00:00"
        return KINDS[event].model_validate({"event": event, "time": time, **facts})

    events = [
        at(0, "start"),
        at(10, "wait", reason="one"),
        at(20, "note", stage="gan", text="still"),
        at(30, "wait", reason="two"),
        at(70, "stage_start", stage="gan"),
        at(100, "wait", stage="gan", reason="three"),
    ]
    now = datetime(2026, 11, 30, 2, 2, tzinfo=timezone.utc)
    assert seconds_waited(events[:2], now) == 110
    assert seconds_waited(events[:5], now) == 60
    assert seconds_waited(events, now) == 80
