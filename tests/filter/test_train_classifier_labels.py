import hashlib

import pytest

from pipeline.errors import UserError
from pipeline.filter.train_classifier import read_training_labels
from pipeline.labels.snapshot import write_snapshot

IDS = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(100)]


def alone(ids):
    """Every picture in a group of its own."""
    return {id: id for id in ids}


@pytest.fixture
def snapshot(tmp_path):
    def make(on, off, unsure=0):
        values = ["on"] * on + ["off"] * off + ["unsure"] * unsure
        return write_snapshot(dict(zip(IDS, values, strict=False)), tmp_path)

    return make


def test_labels_are_counted(snapshot):
    marks = read_training_labels(snapshot(30, 40, 5), alone(IDS), 0.2)
    assert (marks.count("on"), marks.count("off"), marks.unsure, marks.gone) == (30, 40, 5, 0)
    assert marks.split.holdout


def test_labels_of_pictures_that_are_gone_are_counted_and_do_no_harm(snapshot):
    marks = read_training_labels(snapshot(30, 40), alone(IDS[10:]), 0.2)
    assert (marks.count("on"), marks.gone) == (20, 10)


@pytest.mark.parametrize(("on", "off"), [(7, 50), (50, 7), (0, 0)])
def test_too_few_says_how_many_there_are_and_how_to_label(snapshot, on, off):
    with pytest.raises(UserError, match=f"{on} on, {off} off; .*needs 8 of each") as caught:
        read_training_labels(snapshot(on, off), alone(IDS), 0.2)
    for way in ("python -m tasks web", "labels export DIR", "--filter-method none"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_of_those_that_are_there_names_the_others(snapshot):
    with pytest.raises(UserError, match=r"5 on, 40 off \(and 25 of pictures that are not there\)"):
        read_training_labels(snapshot(30, 40), alone(IDS[25:]), 0.2)


def test_holding_out_too_many_is_refused(snapshot):
    labels = snapshot(8, 8)
    with pytest.raises(UserError, match=r"holdout = 0\.9 only"):
        read_training_labels(labels, alone(IDS), 0.9)
