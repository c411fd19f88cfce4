from dataclasses import replace

import numpy as np
import pytest

from pipeline.filter.calibration import shift_logits
from pipeline.filter.recall import estimate_recall
from pipeline.filter.threshold import choose_threshold, evaluate_threshold

from .test_threshold_precision import UNLABELLED, draw_evidence, evidence

HALF = evaluate_threshold(np.array([0.99] * 100 + [0.6] * 200 + [0.01] * 100), 0.9, 0.05)


def two_thirds(labels: int):
    """200 of the 300 on-target squares have the score .6, below the threshold; `labels` of each score are labelled."""
    known = evidence(1, 1)
    scores = np.repeat([0.99, 0.6, 0.01], labels)
    right = np.concatenate([np.arange(labels) < fraction * labels for fraction in (0.99, 0.6, 0.01)])
    unlabelled = np.array([0.99] * 100 + [0.6] * 200 + [0.01] * 100)
    return replace(known, scores=scores, on=right, unlabelled=unlabelled, class_prior=_prior(unlabelled.mean()))


def _prior(share: float):
    known = evidence(1, 1, share=share).class_prior
    return replace(known, probabilities=(np.arange(500) == round(share * 500)).astype(float))


def test_recall_counts_the_on_target_squares_that_are_not_kept():
    found = estimate_recall(HALF, two_thirds(40))
    assert found.missed == pytest.approx(121, abs=3)
    assert found.missed_low < found.missed < found.missed_high
    assert found.low < HALF.recall < found.high
    assert found.labels == 120


def test_recall_interval_narrows_with_labels():
    few, many = (estimate_recall(HALF, two_thirds(count)) for count in (5, 200))
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_labels_that_contradict_the_probabilities_move_the_interval():
    expected = two_thirds(100)
    fewer = replace(expected, on=expected.on & (expected.scores != 0.6))  # none with a score of .6 is on target
    assert estimate_recall(HALF, fewer).high > estimate_recall(HALF, expected).high + 0.1


def test_borderline_squares_are_counted_among_the_missed():
    unlabelled = np.array([0.9] * 100 + [0.5] * 40)
    known = replace(evidence(30, 2), unlabelled=unlabelled, class_prior=_prior(unlabelled.mean()))
    found = estimate_recall(evaluate_threshold(unlabelled, 0.5, 0.05), known)
    assert (found.missed, found.borderline) == (20, 20)


def test_everything_kept_gives_a_recall_of_one():
    found = estimate_recall(evaluate_threshold(UNLABELLED, 0.0, 0.0), evidence(30, 2))
    assert (found.low, found.high, found.missed) == (1.0, 1.0, 0)


def test_without_unlabelled_squares_there_is_no_recall():
    assert estimate_recall(HALF, replace(evidence(9, 1), unlabelled=np.array([]))) is None


@pytest.mark.parametrize("how", ["at random", "by label", "by score"])
def test_recall_interval_covers_for_any_choice_of_labels(how):
    """The recall is between the ends in 90 of 100 cases."""
    random, outside = np.random.default_rng(5), 0
    for draw in range(18):
        found, truth = draw_evidence((0.25, 0.5, 0.8)[draw % 3], how, random)
        shifted = shift_logits(found.unlabelled, found.offset)
        threshold = choose_threshold(shifted, 0.98, 0.05)
        estimate = estimate_recall(threshold, found)
        recall = truth[shifted >= threshold.high].sum() / truth.sum()
        outside += not estimate.low <= recall <= estimate.high
    assert outside <= 4
