"""What a run writes down about itself can be damaged or refused, and hides nothing."""

import logging
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from pipeline.run_record import process_start, read_events
from tasks import run_log, status
from tasks.run_log import RunLog, logging_to
from tests.end_to_end.home import REPOSITORY


@pytest.fixture
def record(tmp_path, monkeypatch) -> RunLog:
    """The record of a run of the dataset cats, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    return run_log.record("cats", "20260101-000000-000000-1")


DAMAGE = {
    "empty": b"",
    "blank": b"\n",
    "cut": b'{"event": "sta',
    "no text": b"\xff\xfe\n",
    "nested": b"[" * 9000 + b"\n",
    "a list": b"[]\n",
    "a number": b'{"event": 7}\n',
    "no time": b'{"event": "end", "time": null}\n',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_run_log_without_a_whole_line_is_reported_by_status(record, damage):
    record.path.write_bytes(damage)
    assert record.rows() == []
    assert record.stages() == {}
    assert record.began() is None
    assert status._last_run("cats") == f"last run unknown: {record.path} holds no complete line"


def test_run_log_reads_the_whole_lines_of_a_damaged_record(record):
    record.add("stage", stage="gan", outcome="ran")
    with record.path.open("ab") as file:
        file.write(b'{"event": "stage", "time": "x"}\n{"event": "end", "outc')
    assert [row["event"] for row in record.rows()] == ["start", "stage"]
    assert "is at work (1 ran)" in status._last_run("cats")


def test_run_log_keeps_in_memory_what_the_disk_does_not_take_and_says_so_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where a folder is needed")
    record = RunLog(tmp_path / "data" / "run")
    record.add("stage", stage="gan", outcome="failed", error="the disk is full")
    record.add("end", outcome="failed")
    assert [row["event"] for row in record.rows()] == ["stage", "end"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the record of this run cannot be written: ")
    assert "there is a file where a folder is needed" in line


@pytest.mark.parametrize("incomplete", [b'{"event": "end", "outc', b'{"event": "end", "time": "x", "outcome": "done"}'])
def test_run_log_ignores_incomplete_last_line_and_does_not_lose_the_next_one(record, incomplete):
    record.add("stage_start", stage="gan", key="k")
    with record.path.open("ab") as file:
        file.write(incomplete)
    assert [row["event"] for row in record.rows()] == ["start", "stage_start"]
    record.add("progress", stage="gan", done=1, total=4)
    assert record.state().progress.percent == 25
    assert record.path.read_bytes().endswith(b"\n")


def test_run_log_skips_unknown_kinds_and_keeps_unknown_fields(record):
    with record.path.open("a") as file:
        file.write('{"event": "mood", "time": "x", "stage": "gan"}\n')
        file.write('{"event": ["stage"], "time": "x"}\n')
        file.write('{"event": "progress", "time": "x", "stage": "gan", "done": "many", "total": 3}\n')
        file.write('{"event": "progress", "time": "x", "stage": "gan", "done": 2, "total": 3, "eta": 7}\n')
    assert record.rows()[1:] == [
        {"event": "progress", "time": "x", "stage": "gan", "done": 2, "total": 3, "eta": 7},
    ]


def test_run_log_writes_again_what_a_full_disk_did_not_take(record, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(RunLog, "_append", full)
        record.add("stage", stage="gan", outcome="failed", error="the disk is full")
        for number in range(100):
            record.add("progress", stage="generate", done=number, total=100)
        assert [row["event"] for row in record.rows()] == ["start", "stage"]  # old progress takes no memory
    record.add("end", outcome="failed")
    assert [event.event for event in read_events(record.path)] == ["start", "stage", "end"]
    assert len(capsys.readouterr().err.splitlines()) == 1


def add_many(folder, name: str) -> None:
    for number in range(200):
        RunLog(folder).add("progress", stage=name, done=number, total=200, note=name * 20)


def test_run_log_does_not_mix_the_lines_of_several_processes(record):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add_many, args=(record.folder, name)) for name in ("gan", "filter", "report")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    lines = [line for line in record.path.read_bytes().splitlines() if line]  # a blank one may part two writers
    assert len(record.rows()) == len(lines) == 1 + 3 * 200


def test_run_log_of_a_killed_writer_has_at_most_one_incomplete_line(record):
    code = (
        "import sys; from pathlib import Path; from tasks.run_log import RunLog; record = RunLog(Path(sys.argv[1]))\n"
        "while True: record.add('progress', stage='gan', done=1, total=2, note='x' * 150)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(record.folder.absolute())], cwd=REPOSITORY) as writer:
        while record.path.stat().st_size < 50_000 and writer.poll() is None:
            time.sleep(0.01)
        writer.kill()
    lines = record.path.read_bytes().splitlines()
    assert len(record.rows()) >= len(lines) - 1 > 100


def test_run_log_of_a_forked_worker_names_the_process_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    child = multiprocessing.get_context("fork").Process(target=run_log.record, args=("cats", "a-run"))
    child.start()
    child.join(timeout=60)
    state = run_log.record("cats", "a-run").state()
    assert (state.pid, state.born) == (os.getpid(), process_start(os.getpid()))


@pytest.mark.parametrize("log", ["/dev/full", "missing/log.txt"])
def test_logging_to_a_file_that_cannot_be_written_prints_no_traceback(log, capfd):
    with logging_to(log):
        logging.getLogger("some.package").warning("a line %s", "x" * 10_000)
    assert "Traceback" not in capfd.readouterr().err
