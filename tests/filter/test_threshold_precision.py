from dataclasses import replace

import numpy as np
import pytest

from pipeline.filter.calibration import ClassPrior, LabelCounts, calibrate, infer_class_prior, shift_logits
from pipeline.filter.threshold import (
    Evidence,
    choose_threshold,
    confusion,
    estimate_precision,
    evaluate_threshold,
    find_suspect_labels,
    jeffreys_interval,
)
from tests.long_values import and_long


def evidence(right: int, wrong: int, *, share: float = 0.5) -> Evidence:
    """Labelled squares with score .99, `right` on target and `wrong` off target, and `right` off target with score .01.
    Unlabelled squares have the same scores, and their class prior is known to be `share`."""
    scores = np.array([0.99] * (right + wrong) + [0.01] * right)
    on = np.array([True] * right + [False] * (wrong + right))
    known = ClassPrior(probabilities=(np.arange(500) == round(share * 500)).astype(float))
    return Evidence(scores=scores, on=on, unlabelled=UNLABELLED, class_prior=known)


UNLABELLED = np.array([0.99] * 200 + [0.01] * 200)
THRESHOLD = evaluate_threshold(UNLABELLED, 0.5, 0.05)


def test_precision_interval_narrows_with_labels():
    few, many = (estimate_precision(THRESHOLD, evidence(count, 0), 0.95) for count in (10, 200))
    assert few.low < 0.95 < few.high
    assert few.more > 0
    assert many.low > 0.95
    assert many.more == 0
    assert (few.labels, many.labels) == (10, 200)


def test_predicted_number_of_labels_confirms_the_precision():
    found = estimate_precision(THRESHOLD, evidence(20, 0), 0.95)
    again = estimate_precision(THRESHOLD, evidence(20 + found.more, 0), 0.95)
    assert again.low > 0.94


def test_off_target_labels_above_the_threshold_lower_the_interval():
    right, wrong = (
        estimate_precision(THRESHOLD, evidence(40, 0), 0.95),
        estimate_precision(THRESHOLD, evidence(30, 10), 0.95),
    )
    assert wrong.high < 0.9 < right.high
    assert 0.6 < wrong.low < 0.75


def test_unknown_class_prior_widens_the_interval():
    known = evidence(60, 3)
    unknown = replace(known, class_prior=infer_class_prior(UNLABELLED, 0.5, LabelCounts(unlabelled=400)))
    narrow, wide = estimate_precision(THRESHOLD, known, 0.95), estimate_precision(THRESHOLD, unknown, 0.95)
    assert wide.low < narrow.low
    assert wide.high > narrow.high


def test_precision_interval_is_none_if_nothing_is_kept():
    threshold = evaluate_threshold(UNLABELLED, 1.0, 0.0)
    estimate = estimate_precision(threshold, evidence(10, 0), 0.95)
    assert (estimate.low, estimate.high, estimate.more) == (None, None, None)


def test_precision_interval_is_wide_without_labels_above_the_threshold():
    nothing = replace(evidence(0, 0), scores=np.array([0.1]), on=np.array([False]))
    estimate = estimate_precision(THRESHOLD, nothing, 0.95)
    assert estimate.labels == 0
    assert estimate.low < 0.1


def test_more_is_none_if_the_expected_precision_is_below_the_target():
    unlabelled = np.full(100, 0.9)
    known = ClassPrior(probabilities=(np.arange(500) == 450).astype(float))
    found = Evidence(scores=np.full(11, 0.9), on=np.arange(11) < 10, unlabelled=unlabelled, class_prior=known)
    assert estimate_precision(evaluate_threshold(unlabelled, 0.5, 0.0), found, 0.95).more is None


def draw_evidence(share: float, how: str, random: np.random.Generator) -> tuple[Evidence, np.ndarray]:
    """Labels chosen as `how` says, of squares with the class prior `share`; and the true labels of the rest."""
    on = random.random(1500) < share
    seen = random.normal(np.where(on, 1.8, -1.8), 1.3)
    order = random.permutation(1500)
    if how == "by label":
        chosen, random_labels = [*order[on[order]][:30], *order[~on[order]][:50]], []
    else:
        chosen = random_labels = list(order[:30])
        for _ in range(3 if how == "by score" else 0):
            doubt = np.abs(calibrate(seen[chosen], on[chosen])(seen) - 0.5)
            doubt[chosen] = 1
            chosen = [*chosen, *np.argsort(doubt)[:30]]
    rest = np.setdiff1d(np.arange(1500), chosen)
    calibration = calibrate(seen[chosen], on[chosen])
    counts = LabelCounts(
        random_on=on[random_labels].sum(),
        random_off=(~on[random_labels]).sum(),
        on=on[chosen].sum(),
        off=(~on[chosen]).sum(),
        unlabelled=len(rest),
    )
    unlabelled = calibration(seen[rest])
    found_prior = infer_class_prior(unlabelled, calibration.prior, counts)
    return Evidence(
        scores=calibration(seen[chosen]), on=on[chosen], unlabelled=unlabelled, class_prior=found_prior
    ), on[rest]


@pytest.mark.parametrize("how", ["at random", "by label", "by score"])
@pytest.mark.parametrize("share", and_long([0.5], long=[0.25, 0.8]))
def test_precision_interval_covers_for_any_choice_of_labels(share, how):
    """The precision is above the lower end in 95 of 100 cases."""
    random, below, shares = np.random.default_rng(7), 0, []
    for _ in range(40):
        found, truth = draw_evidence(share, how, random)
        shifted = shift_logits(found.unlabelled, found.offset)
        threshold = choose_threshold(shifted, 0.95, 0.05)
        below += truth[shifted >= threshold.high].mean() < estimate_precision(threshold, found, 0.95).low
        shares.append(found.class_prior.mean - truth.mean())
    assert below <= 4
    assert abs(np.mean(shares)) < 0.06


def test_confusion_counts_every_label_once():
    found = confusion(THRESHOLD, evidence(8, 2))
    assert found["on"] == {"kept": 8, "unsure": 0, "rejected": 0}
    assert found["off"] == {"kept": 2, "unsure": 0, "rejected": 8}
    assert found["off_kept"][0] == 0.2
    assert found["off_kept"][1] < 0.2 < found["off_kept"][2]


@pytest.mark.parametrize(("count", "total"), [(0, 0), (0, 10), (10, 10), (5, 10)])
def test_jeffreys_interval_contains_the_fraction(count, total):
    share, low, high = jeffreys_interval(count, total)
    assert 0 <= low <= share <= high <= 1


def test_labels_that_contradict_confident_scores_are_suspects():
    labels = {f"on{n}": "on" for n in range(20)} | {f"off{n}": "off" for n in range(20)}
    scores = {id: 0.95 if label == "on" else 0.05 for id, label in labels.items()}
    scores["on3"], scores["off7"] = 0.01, 0.93
    assert find_suspect_labels(labels, scores) == ["on3", "off7"]


def test_clean_or_one_sided_labels_have_no_suspects():
    labels = {"a": "on", "b": "on", "c": "off", "d": "off"}
    assert find_suspect_labels(labels, {"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}) == []
    assert find_suspect_labels({"a": "on", "b": "on"}, {"a": 0.1, "b": 0.9}) == []
    assert find_suspect_labels({}, {}) == []
