"""Score files, and what is measured from them."""

import numpy as np
import pytest

from pipeline.filter.scores import (
    KEPT,
    REJECTED,
    Score,
    kept_ids,
    measure,
    read_features,
    read_scores,
    read_unseen,
    write_scores,
    write_unseen,
)


def test_scores_are_read_as_written_and_sorted_by_id(tmp_path):
    scores = [
        Score(id="b", score=0.9, label=None, outcome=KEPT, spread=0.1),
        Score(id="c", score=None, label="on", outcome=KEPT),
        Score(id="a", score=0.1, label="on", outcome=REJECTED, suspect=True),
    ]
    write_scores(scores, tmp_path)
    assert read_scores(tmp_path) == [scores[2], scores[0], scores[1]]
    assert kept_ids(tmp_path) == ["b", "c"]


def test_features_are_optional(tmp_path):
    assert read_features(tmp_path) is None
    np.save(tmp_path / "features.npy", np.ones((2, 3), np.float16))
    assert read_features(tmp_path).shape == (2, 3)


def test_unseen_scores_of_both_files_are_read_together(tmp_path):
    write_unseen({"a": "on"}, {"a": 0.9, "z": 0.5}, tmp_path / "holdout.jsonl")
    write_unseen({"b": "off"}, {"b": 0.1234567}, tmp_path / "out_of_fold.jsonl")
    assert read_unseen(tmp_path) == {"a": 0.9, "b": 0.123457}


LABELS = {"a": "on", "b": "on", "c": "on", "d": "off", "e": "off", "f": "off"}


@pytest.mark.parametrize(
    ("scores", "average_precision", "precision", "recall"),
    [
        ([0.9, 0.8, 0.7, 0.3, 0.2, 0.1], 1.0, 1.0, 1.0),
        ([0.9, 0.8, 0.4, 0.6, 0.2, 0.1], 0.9167, 0.6667, 0.6667),
        ([0.4, 0.4, 0.4, 0.4, 0.4, 0.4], 0.5, None, 0.0),
    ],
)
def test_measure_gives_average_precision_precision_and_recall(scores, average_precision, precision, recall):
    found = measure(LABELS, dict(zip(LABELS, scores, strict=True)))
    assert found == {"average_precision": average_precision, "precision": precision, "recall": recall}


def test_measure_gives_nothing_with_fewer_than_three_labels_of_a_kind():
    few = {id: label for id, label in LABELS.items() if id != "f"}
    assert set(measure(few, dict.fromkeys(few, 0.5)).values()) == {None}
