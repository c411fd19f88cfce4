import hashlib

import pytest

from pipeline.errors import NextStep
from pipeline.filter.train_classifier import read_training_labels
from pipeline.labels.snapshot import write_snapshot

IDS = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(100)]


def own_groups(ids):
    """Every picture in a group of its own."""
    return {id: id for id in ids}


@pytest.fixture
def snapshot(tmp_path):
    def make(on, off, unsure=0):
        values = ["on"] * on + ["off"] * off + ["unsure"] * unsure
        return write_snapshot(dict(zip(IDS, values, strict=False)), tmp_path)

    return make


def test_training_labels_are_counted(snapshot):
    training_labels = read_training_labels(snapshot(30, 40, 5), own_groups(IDS), 0.2)
    assert (
        training_labels.count("on"),
        training_labels.count("off"),
        training_labels.unsure,
        training_labels.missing,
    ) == (30, 40, 5, 0)
    assert training_labels.split.holdout


def test_labels_of_missing_squares_are_counted_and_ignored(snapshot):
    training_labels = read_training_labels(snapshot(30, 40), own_groups(IDS[10:]), 0.2)
    assert (training_labels.count("on"), training_labels.missing) == (20, 10)


@pytest.mark.parametrize(
    ("on", "off", "wanted"),
    [
        (7, 50, "label 23 more on target"),
        (50, 7, "label 43 more off target"),
        (0, 0, "label 30 on target and 50 off target"),
        (7, 7, "label 23 more on target and 43 more off target"),
    ],
)
def test_too_few_labels_name_the_next_step_and_how_to_label(snapshot, on, off, wanted):
    with pytest.raises(NextStep, match=f"^{wanted}: .*there are {on} and {off}, .*needs 8 of each") as caught:
        read_training_labels(snapshot(on, off), own_groups(IDS), 0.2)
    for way in ("`make label`", "labels export DIR", "--filter-method none"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_labels_error_counts_missing_squares(snapshot):
    with pytest.raises(NextStep, match=r"there are 5 and 40 \(and 25 of squares that do not exist\)"):
        read_training_labels(snapshot(30, 40), own_groups(IDS[25:]), 0.2)


def test_too_large_holdout_raises_an_error(snapshot):
    labels = snapshot(8, 8)
    with pytest.raises(NextStep, match=r"holdout = 0\.9 only"):
        read_training_labels(labels, own_groups(IDS), 0.9)


def test_validation_labels_and_their_near_duplicates_are_not_trained_on(tmp_path):
    labels = {id: ("on", "off")[number % 2] for number, id in enumerate(IDS)}
    groups = own_groups(IDS) | {IDS[5]: IDS[0]}  # 5 is a near-duplicate of 0
    found = read_training_labels(write_snapshot(labels, tmp_path, [IDS[0], IDS[1]]), groups, 0.2)
    used = found.split.train.keys() | found.split.holdout.keys()
    assert used == set(IDS) - {IDS[0], IDS[1], IDS[5]}
    assert found.validation == {IDS[0]: "on", IDS[1]: "off"}
    assert found.near_validation == 1


def test_too_few_labels_error_does_not_count_the_validation_set(tmp_path):
    labels = {id: ("on", "off")[number % 2] for number, id in enumerate(IDS)}
    snapshot = write_snapshot(labels, tmp_path, IDS[4:])
    with pytest.raises(NextStep, match="there are 2 and 2 beside the 96 for validation"):
        read_training_labels(snapshot, own_groups(IDS), 0.2)
