"""Who comes first in a night, and why."""

from collections.abc import Collection
from datetime import date

import pytest

from pipeline.labels.log import VALIDATION, LabelLog
from pipeline.labels.snapshot import write_snapshot
from pipeline.night_record import Turn
from pipeline.store.manifest import Manifest
from tasks import paths
from tasks.nightly import night_files
from tasks.nightly.subject_order import SubjectFacts, in_order, read_facts

NIGHT = date(2026, 11, 30)
YESTERDAY = date(2026, 11, 29)


def last(outcome: str) -> dict:
    return {"last": Turn(subject="x", outcome=outcome), "last_night": YESTERDAY}


def test_the_order_is_by_need():
    facts = [
        SubjectFacts(name="old", refreshed="2026-11-01T02:00:00"),
        SubjectFacts(name="recent", refreshed="2026-11-29T02:00:00", **last("done")),
        SubjectFacts(name="training", refreshed="2026-11-29T03:00:00", is_unfinished=True),
        SubjectFacts(name="labelled", refreshed="2026-11-29T04:00:00", new_labels=3),
        SubjectFacts(name="failed", refreshed="2026-11-28T02:00:00", new_labels=9, **last("hung")),
        SubjectFacts(name="waiting", refreshed="2026-11-29T02:00:00", **last("skipped")),
        SubjectFacts(name="cut", refreshed="2026-11-28T02:00:00", **last("cut")),
        SubjectFacts(name="new", has_run=False),
    ]
    assert [(each.name, each.need) for each in in_order(facts)] == [
        ("new", "never ran"),
        ("cut", "was not finished on 2026-11-29"),
        ("waiting", "had no turn on 2026-11-29"),
        ("failed", "failed on 2026-11-29"),
        ("labelled", "3 new labels"),
        ("training", "its training is unfinished"),
        ("old", "crawled 2026-11-01 02:00"),
        ("recent", "crawled 2026-11-29 02:00"),
    ]


def test_subjects_alike_come_by_name():
    assert [each.name for each in in_order(SubjectFacts(name=name) for name in "cab")] == ["a", "b", "c"]


@pytest.fixture
def cats(configure):
    configure("")
    (paths.dataset_folder("cats") / "runs").mkdir(parents=True)


def test_facts_are_those_of_the_last_night_in_which_the_subject_was(cats):
    night_files.write_turn(date(2026, 11, 27), Turn(subject="cats", outcome="failed"))
    night_files.write_turn(YESTERDAY, Turn(subject="dogs", outcome="done"))
    night_files.write_turn(NIGHT, Turn(subject="cats", outcome="done"))
    found = read_facts("cats", NIGHT)
    assert (found.last_night, found.last.outcome) == (date(2026, 11, 27), "failed")


def test_labels_that_no_filter_has_seen_count(cats):
    assert read_facts("cats", NIGHT).new_labels == 0
    LabelLog(paths.dataset_folder("cats") / "labels.jsonl").append({"a" * 64: "on", "b" * 64: "off"}, how="page")
    assert read_facts("cats", NIGHT).new_labels == 2


def filtered(labels: dict[str, str], validation: Collection[str] = ()) -> None:
    """What a run leaves whose filter knew `labels`."""
    path = write_snapshot(labels, paths.dataset_folder("cats"), validation)
    store = paths.artifact_store("cats", "filter")
    inputs = {"labels": path.stem}
    manifest = Manifest(stage="filter", version=1, dataset="cats", key="a" * 64, options={}, inputs=inputs)
    store.publish(store.work("a" * 64, resume=False), manifest)


def test_only_labels_that_teach_the_filter_something_count_as_new(cats):
    log = LabelLog(paths.dataset_folder("cats") / "labels.jsonl")
    log.append({"a" * 64: "on", "b" * 64: "off", "c" * 64: "on"}, how="page")  # none of these squares is there
    log.append({"d" * 64: "on"}, how="page", set=VALIDATION)
    current = log.current()
    filtered(current.labels, current.validation)
    assert read_facts("cats", NIGHT).new_labels == 0
    log.append({"e" * 64: "off"}, how="page", set=VALIDATION)
    log.append({"f" * 64: "unsure"}, how="page")
    assert read_facts("cats", NIGHT).new_labels == 0
    log.append({"a" * 64: "off", "b" * 64: "on", "c" * 64: None}, how="page")
    assert read_facts("cats", NIGHT).new_labels == 3


def test_a_damaged_label_log_does_not_hold_up_the_night(cats):
    (paths.dataset_folder("cats") / "labels.jsonl").write_text("{\n")
    assert read_facts("cats", NIGHT).new_labels == 0


def test_work_that_a_stopped_training_left_is_unfinished(cats):
    assert not read_facts("cats", NIGHT).is_unfinished
    paths.artifact_store("cats", "gan").work("a" * 64, resume=True)
    assert read_facts("cats", NIGHT).is_unfinished


def test_the_lock_of_a_training_that_has_ended_is_nothing_unfinished(cats):
    root = paths.artifact_store("cats", "gan").root
    root.mkdir(parents=True)
    (root / f".work-{'a' * 12}.lock").touch()
    assert not read_facts("cats", NIGHT).is_unfinished
