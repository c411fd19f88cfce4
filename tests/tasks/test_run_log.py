"""What a run writes down about itself can be damaged or refused, and hides nothing."""

import logging

import pytest

from tasks import commands, run_log
from tasks.run_log import RunLog, logging_to


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
def test_a_damaged_record_is_told_as_that(record, damage):
    record.path.write_bytes(damage)
    assert record.rows() == []
    assert record.stages() == {}
    assert record.began() is None
    assert commands._last_run("cats") == f"last run unknown: {record.path} holds no complete line"


def test_the_whole_lines_of_a_record_are_read(record):
    record.add("stage", stage="gan", outcome="ran")
    with record.path.open("ab") as file:
        file.write(b'{"event": "stage", "time": "x"}\n{"event": "end", "outc')
    assert [row["event"] for row in record.rows()] == ["start", "stage"]
    assert "running or killed (1 ran)" in commands._last_run("cats")


def test_a_record_that_no_disk_takes_is_kept_in_memory_and_told_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where a folder is needed")
    record = RunLog(tmp_path / "data" / "run")
    record.add("stage", stage="gan", outcome="failed", error="the disk is full")
    record.add("end", outcome="failed")
    assert [row["event"] for row in record.rows()] == ["stage", "end"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the record of this run cannot be written: ")
    assert "there is a file where a folder is needed" in line


@pytest.mark.parametrize("log", ["/dev/full", "missing/log.txt"])
def test_a_log_that_cannot_be_written_hides_nothing(log, capfd):
    with logging_to(log):
        logging.getLogger("some.package").warning("a line %s", "x" * 10_000)
    assert "Traceback" not in capfd.readouterr().err
