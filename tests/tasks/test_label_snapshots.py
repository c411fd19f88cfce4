"""Snapshots of the labels at the start of a run: later edits belong to the next run."""

import pytest

from pipeline.labels.snapshot import read_snapshot, read_validation, snapshot_digest
from tasks import label_snapshots, settings

CAT, DOG = "a" * 64, "b" * 64
LABELS = {CAT: "on", DOG: "off"}


@pytest.fixture
def log(configure):
    configure("")
    return label_snapshots.log("cats")


def take(dataset: str = "cats") -> str:
    return label_snapshots.take_snapshot(dataset, settings.resolve(dataset, {}))


def test_snapshot_keeps_the_labels_of_its_time_whatever_is_labelled_later(log):
    log.append(LABELS, how="page")
    taken = take()
    log.append({CAT: "off"}, how="page")
    label_snapshots.save_snapshot("cats", taken)
    assert read_snapshot(label_snapshots.path("cats", taken)) == LABELS
    assert label_snapshots.count("cats", taken) == 2
    assert take() != taken


def test_snapshot_is_written_only_when_a_run_saves_it(log):
    log.append(LABELS, how="page")
    taken = take()
    assert taken == snapshot_digest(LABELS)
    assert not label_snapshots.path("cats", taken).exists()


def test_snapshot_without_labels_is_empty(log):
    assert take() == label_snapshots.EMPTY
    assert read_snapshot(label_snapshots.path("cats", label_snapshots.EMPTY)) == {}
    assert label_snapshots.count("cats", label_snapshots.EMPTY) == 0


def test_demo_before_its_first_run_has_the_labels_that_are_made_with_its_squares(configure):
    configure("[download]\nsources = demo\n")
    assert take("demo") == label_snapshots.SEED
    assert label_snapshots.count("demo", label_snapshots.SEED) == 0
    label_snapshots.log("demo").append(LABELS, how="seed")
    assert label_snapshots.digest_of("demo", label_snapshots.SEED) == snapshot_digest(LABELS)
    assert read_snapshot(label_snapshots.path("demo", label_snapshots.SEED)) == LABELS


def test_validation_set_is_part_of_the_digest_and_of_the_count(log):
    log.append(LABELS, how="page")
    before = take()
    log.append({DOG: "off"}, how="folder", set="validation")
    taken = take()
    assert taken != before
    label_snapshots.save_snapshot("cats", taken)
    assert read_validation(label_snapshots.path("cats", taken)) == {DOG}
    assert label_snapshots.count("cats", taken) == "1 + 1 for validation"
    label_snapshots._labels_by_digest.clear()  # as in another process
    assert label_snapshots.count("cats", taken) == "1 + 1 for validation"


def test_demo_with_a_validation_set_alone_still_gets_its_first_labels(configure):
    configure("[download]\nsources = demo\n")
    label_snapshots.log("demo").append(LABELS, how="folder", set="validation")
    assert take("demo") == label_snapshots.SEED


def test_description_counts_labels_and_those_for_validation(log):
    assert label_snapshots.describe("cats") == "none"
    assert label_snapshots.describe("cats", zeros=True) == "0 on target, 0 off target, 0 skip"
    log.append({CAT: "on"}, how="page")
    log.append({DOG: "off"}, how="folder", set="validation")
    assert label_snapshots.describe("cats") == "1 on target, 1 off target; of these for validation: 1 off target"


def test_labels_are_enough_with_eight_of_each_kind_that_may_be_trained_on(log):
    ids = [f"{number:064x}" for number in range(18)]
    for label, some in (("on", ids[:9]), ("off", ids[9:17])):
        assert not label_snapshots.are_enough("cats", take())
        log.append(dict.fromkeys(some, label), how="page")
    assert label_snapshots.are_enough("cats", take())
    log.append({ids[-2]: "off"}, how="folder", set="validation")
    assert not label_snapshots.are_enough("cats", take())
