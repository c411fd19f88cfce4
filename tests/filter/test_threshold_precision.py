from dataclasses import replace

import numpy as np
import pytest

from pipeline.filter.calibration import ClassPrior, Counts, calibrate, infer_class_prior, move
from pipeline.filter.threshold import (
    Evidence,
    choose_threshold,
    confusion,
    estimate_precision,
    evaluate_threshold,
    interval,
    suspects,
)


def evidence(right: int, wrong: int, *, share: float = 0.5) -> Evidence:
    """Pictures that score .99, `right` of them on and `wrong` off, and as many off that score .01; of the pictures
    without a label, whose scores are the same, the share `share` is known to be on target."""
    scores = np.array([0.99] * (right + wrong) + [0.01] * right)
    on = np.array([True] * right + [False] * (wrong + right))
    known = ClassPrior(likely=(np.arange(500) == round(share * 500)).astype(float))
    return Evidence(scores=scores, on=on, free=FREE, share=known)


FREE = np.array([0.99] * 200 + [0.01] * 200)
LINE = evaluate_threshold(FREE, 0.5, 0.05)


def test_the_interval_narrows_and_the_wish_is_shown_as_labels_come():
    few, many = (estimate_precision(LINE, evidence(count, 0), 0.95) for count in (10, 200))
    assert few.low < 0.95 < few.high
    assert few.more > 0
    assert many.low > 0.95
    assert many.more == 0
    assert (few.labels, many.labels) == (10, 200)


def test_with_as_many_more_labels_as_it_says_the_wish_is_nearly_shown():
    found = estimate_precision(LINE, evidence(20, 0), 0.95)
    again = estimate_precision(LINE, evidence(20 + found.more, 0), 0.95)
    assert again.low > 0.94


def test_wrong_ones_above_the_line_lower_the_interval():
    right, wrong = estimate_precision(LINE, evidence(40, 0), 0.95), estimate_precision(LINE, evidence(30, 10), 0.95)
    assert wrong.high < 0.9 < right.high
    assert 0.6 < wrong.low < 0.75


def test_a_share_that_is_not_known_widens_the_interval():
    known = evidence(60, 3)
    unknown = replace(known, share=infer_class_prior(FREE, 0.5, Counts(free=400)))
    sure, unsure = estimate_precision(LINE, known, 0.95), estimate_precision(LINE, unknown, 0.95)
    assert unsure.low < sure.low
    assert unsure.high > sure.high


def test_nothing_kept_proves_nothing():
    line = evaluate_threshold(FREE, 1.0, 0.0)
    proof = estimate_precision(line, evidence(10, 0), 0.95)
    assert (proof.low, proof.high, proof.more) == (None, None, None)


def test_without_labels_above_the_line_nothing_is_sure():
    nothing = replace(evidence(0, 0), scores=np.array([0.1]), on=np.array([False]))
    proof = estimate_precision(LINE, nothing, 0.95)
    assert proof.labels == 0
    assert proof.low < 0.1


def test_more_is_none_where_the_scores_promise_less_than_the_wish():
    free = np.full(100, 0.9)
    known = ClassPrior(likely=(np.arange(500) == 450).astype(float))
    found = Evidence(scores=np.full(11, 0.9), on=np.arange(11) < 10, free=free, share=known)
    assert estimate_precision(evaluate_threshold(free, 0.5, 0.0), found, 0.95).more is None


def drawn(share: float, how: str, random: np.random.Generator) -> tuple[Evidence, np.ndarray]:
    """Labels of pictures of which `share` are on target, chosen one way or the other; and the truth of the rest."""
    on = random.random(1500) < share
    seen = random.normal(np.where(on, 1.8, -1.8), 1.3)
    order = random.permutation(1500)
    if how == "by label":
        chosen, fair = [*order[on[order]][:30], *order[~on[order]][:50]], []
    else:
        chosen = fair = list(order[:30])
        for _ in range(3 if how == "by score" else 0):
            doubt = np.abs(calibrate(seen[chosen], on[chosen])(seen) - 0.5)
            doubt[chosen] = 1
            chosen = [*chosen, *np.argsort(doubt)[:30]]
    rest = np.setdiff1d(np.arange(1500), chosen)
    calibration = calibrate(seen[chosen], on[chosen])
    counts = Counts(
        fair_on=on[fair].sum(), fair_off=(~on[fair]).sum(), on=on[chosen].sum(), off=(~on[chosen]).sum(), free=len(rest)
    )
    free = calibration(seen[rest])
    share_found = infer_class_prior(free, calibration.prior, counts)
    return Evidence(scores=calibration(seen[chosen]), on=on[chosen], free=free, share=share_found), on[rest]


@pytest.mark.parametrize("how", ["at random", "by label", "by score"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_precision_is_seldom_below_the_interval_however_labels_were_chosen(share, how):
    """The lower end is to be passed in 95 of 100 cases."""
    random, below, shares = np.random.default_rng(7), 0, []
    for _ in range(40):
        found, truth = drawn(share, how, random)
        moved = move(found.free, found.offset)
        line = choose_threshold(moved, 0.95, 0.05)
        below += truth[moved >= line.high].mean() < estimate_precision(line, found, 0.95).low
        shares.append(found.share.mean - truth.mean())
    assert below <= 4
    assert abs(np.mean(shares)) < 0.06


def test_the_confusion_counts_every_label_once():
    found = confusion(LINE, evidence(8, 2))
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
