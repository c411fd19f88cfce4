import numpy as np
import pytest

from pipeline.filter.proof import Labelled, confusion, interval, prove, suspects
from pipeline.filter.threshold import judge_line


def labelled(right: int, wrong: int, *, prior: float = 0.5, share: float = 0.5) -> Labelled:
    """Pictures that score .99, `right` of them on and `wrong` off, and as many off that score .01."""
    scores = np.array([0.99] * (right + wrong) + [0.01] * right)
    on = np.array([True] * right + [False] * (wrong + right))
    return Labelled(scores=scores, on=on, prior=prior, share=share)


KEPT = np.full(200, 0.99)
LINE = judge_line(np.array([0.99] * 200 + [0.01] * 200), 0.5, 0.05)


def test_the_interval_narrows_and_the_wish_is_shown_as_labels_come():
    few, many = (prove(LINE, KEPT, labelled(count, 0), 0.95) for count in (10, 200))
    assert few.low < 0.95 < few.high
    assert few.more > 0
    assert many.low > 0.95
    assert many.more == 0
    assert (few.labels, many.labels) == (10, 200)


def test_with_as_many_more_labels_as_it_says_the_wish_is_nearly_shown():
    found = prove(LINE, KEPT, labelled(20, 0), 0.95)
    again = prove(LINE, KEPT, labelled(20 + found.more, 0), 0.95)
    assert again.low > 0.94


def test_wrong_ones_above_the_line_lower_the_interval():
    right, wrong = prove(LINE, KEPT, labelled(40, 0), 0.95), prove(LINE, KEPT, labelled(30, 10), 0.95)
    assert wrong.high < 0.9 < right.high
    assert 0.6 < wrong.low < 0.75


def test_where_fewer_are_on_target_than_among_the_labels_less_is_proved():
    same, fewer = (prove(LINE, KEPT, labelled(40, 2, prior=0.5, share=share), 0.95) for share in (0.5, 0.1))
    assert fewer.low < same.low - 0.1


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Labels drawn again and again where 93 in 100 of the kept are on target."""
    random, covered = np.random.default_rng(0), 0
    for _ in range(200):
        right = int(random.binomial(60, 0.93))
        proof = prove(LINE, KEPT, labelled(right, 60 - right), 0.95)
        covered += proof.low <= 0.93 <= proof.high
    assert 0.82 <= covered / 200 <= 0.98


def test_nothing_kept_proves_nothing():
    proof = prove(LINE, np.array([]), labelled(10, 0), 0.95)
    assert (proof.low, proof.high, proof.more) == (None, None, None)


def test_without_labels_above_the_line_nothing_is_sure():
    proof = prove(LINE, KEPT, Labelled(scores=np.array([0.1]), on=np.array([False]), prior=0.5, share=0.5), 0.95)
    assert proof.labels == 0
    assert proof.low < 0.1


def test_more_is_none_where_the_scores_promise_less_than_the_wish():
    kept = np.full(100, 0.9)
    line = judge_line(kept, 0.5, 0.0)
    assert prove(line, kept, labelled(10, 1), 0.95).more is None


def test_the_confusion_counts_every_label_once():
    found = confusion(LINE, labelled(8, 2))
    assert found["on"] == {"kept": 8, "unsure": 0, "rejected": 0}
    assert found["off"] == {"kept": 2, "unsure": 0, "rejected": 8}
    assert found["off_kept"][0] == 0.2
    assert found["off_kept"][1] < 0.2 < found["off_kept"][2]


@pytest.mark.parametrize(("count", "total"), [(0, 0), (0, 10), (10, 10), (5, 10)])
def test_intervals_hold_the_share_and_stay_within_zero_and_one(count, total):
    share, low, high = interval(count, total)
    assert 0 <= low <= share <= high <= 1


def test_labels_that_contradict_sure_scores_are_suspects_the_surest_first():
    labels = {f"on{n}": "on" for n in range(20)} | {f"off{n}": "off" for n in range(20)}
    scores = {id: 0.95 if label == "on" else 0.05 for id, label in labels.items()}
    scores["on3"], scores["off7"] = 0.01, 0.93
    assert suspects(labels, scores) == ["on3", "off7"]


def test_clean_labels_have_no_suspects_and_one_kind_of_label_is_no_trouble():
    labels = {"a": "on", "b": "on", "c": "off", "d": "off"}
    assert suspects(labels, {"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}) == []
    assert suspects({"a": "on", "b": "on"}, {"a": 0.1, "b": 0.9}) == []
    assert suspects({}, {}) == []
