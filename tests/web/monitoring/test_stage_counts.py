"""Stages are counted once, when they end, and only those of this server's time."""

import os
import shutil

import pytest

from pipeline.store.jsonl import dump_row
from pipeline.web.monitoring import stage_counts
from pipeline.web.monitoring.stage_counts import StageCounts

SINCE = "2026-11-30T02:00:00.000+00:00"


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def ended(stage: str, outcome: str = "ran", *, hour: int = 3) -> dict:
    return {"event": "stage", "time": f"2026-11-30T{hour:02d}:00:00.000+00:00", "stage": stage, "outcome": outcome}


def write(runs, name: str, *rows: dict) -> None:
    path = runs / name / "record.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("".join(map(dump_row, rows)))


def counted(counts: StageCounts) -> dict[str, int]:
    return {f"{key.dataset} {key.stage} {key.outcome}": number for key, number in counts.counts.items()}


def test_each_end_counts_once_however_often_the_record_is_read(runs):
    counts = StageCounts(since=SINCE)
    write(runs, "1", ended("download"))
    counts.update("cats", runs)
    counts.update("cats", runs)
    write(runs, "1", ended("normalize"), ended("gan", "failed"))
    counts.update("cats", runs)
    assert counted(counts) == {"cats download ran": 1, "cats normalize ran": 1, "cats gan failed": 1}


def test_what_ended_before_the_server_began_or_did_nothing_does_not_count(runs):
    counts = StageCounts(since=SINCE)
    write(runs, "1", ended("download", hour=1), ended("normalize", "reused"), ended("gan"))
    counts.update("cats", runs)
    assert counted(counts) == {"cats gan ran": 1}


def test_runs_add_up(runs):
    counts = StageCounts(since=SINCE)
    for number in range(3):
        write(runs, str(number), ended("gan"))
        counts.update("cats", runs)
    assert counted(counts) == {"cats gan ran": 3}


def test_only_the_newest_records_are_read(runs, monkeypatch):
    for number in range(20):
        write(runs, f"{number:02d}", ended("gan"))
    read = []
    monkeypatch.setattr(stage_counts, "read_events", lambda path, progress: read.append(path.parent.name) or [])
    counts = StageCounts(since=SINCE)
    counts.update("cats", runs)
    counts.update("cats", runs)
    assert read == ["19", "18", "17", "16", "15"]


def test_a_long_training_counts_though_newer_runs_came_and_went(runs):
    counts = StageCounts(since=SINCE)
    write(runs, "00", ended("download"))
    counts.update("cats", runs)
    for number in range(1, 9):
        write(runs, f"{number:02d}", ended("filter"), {"event": "end", "time": SINCE, "outcome": "done"})
        counts.update("cats", runs)
    write(runs, "00", ended("gan"), {"event": "end", "time": SINCE, "outcome": "done"})
    counts.update("cats", runs)
    assert counted(counts) == {"cats download ran": 1, "cats filter ran": 8, "cats gan ran": 1}


def test_a_run_counts_once_though_it_is_among_the_newest_again(runs):
    counts = StageCounts(since=SINCE)
    for number in range(9):
        write(runs, f"{number:02d}", ended("gan"), {"event": "end", "time": SINCE, "outcome": "done"})
        counts.update("cats", runs)
    for number in range(4, 9):
        shutil.rmtree(runs / f"{number:02d}")
    counts.update("cats", runs)
    assert counted(counts) == {"cats gan ran": 9}


def test_a_dataset_that_leaves_and_comes_back_is_not_counted_again(runs, tmp_path):
    counts = StageCounts(since=SINCE)
    write(runs, "1", ended("gan"))
    counts.update("cats", runs)
    runs.rename(tmp_path / "archived")
    counts.update("cats", runs)
    (tmp_path / "archived").rename(runs)
    os.utime(runs / "1" / "record.jsonl")  # as when an archive is unpacked
    counts.update("cats", runs)
    assert counted(counts) == {"cats gan ran": 1}
