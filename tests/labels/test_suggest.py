import hashlib
from collections import Counter

import numpy as np
import pytest

from pipeline.labels.suggest import DIFFERENT, RANDOM, UNCERTAIN, random_order, random_slice, suggest

IDS = sorted(hashlib.sha256(b"%d" % number).hexdigest() for number in range(400))


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)


@pytest.fixture
def scores():
    return dict(zip(IDS, np.linspace(0, 1, 400).tolist(), strict=True))


def whys(found) -> Counter:
    return Counter(suggestion.why for suggestion in found)


def test_most_are_uncertain_some_different_and_one_in_five_random(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=100)
    assert whys(found) == {UNCERTAIN: 60, DIFFERENT: 20, RANDOM: 20}
    assert len({suggestion.id for suggestion in found}) == 100


def test_uncertain_ones_have_scores_near_a_half(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=50)
    doubts = [abs(scores[suggestion.id] - 0.5) for suggestion in found if suggestion.why == UNCERTAIN]
    assert np.mean(doubts) < 0.12


def test_of_two_copies_only_one_is_uncertain_enough(scores):
    """Twenty pictures at one place, with scores nearest to a half, do not fill the batch."""
    features = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    features[190:210] = 5
    found = suggest(IDS, labels={}, scores=scores, features=features, count=40)
    assert sum(suggestion.why == UNCERTAIN and suggestion.id in IDS[190:210] for suggestion in found) <= 3


def test_different_ones_are_far_from_all_that_is_labelled():
    features = np.zeros((400, 2), np.float32)
    features[:10], features[10:13] = [3, 0], [0, 9]
    found = suggest(IDS, labels={IDS[20]: "on", IDS[0]: "off"}, scores=None, features=features, count=2)
    first = next(suggestion.id for suggestion in found if suggestion.why == DIFFERENT)
    assert first in IDS[10:13]


def test_before_any_scores_there_is_nothing_uncertain(features):
    assert whys(suggest(IDS, labels={}, scores=None, features=features, count=50)) == {DIFFERENT: 40, RANDOM: 10}
    assert whys(suggest(IDS, labels={}, scores=None, features=None, count=50)) == {RANDOM: 50}


def test_labelled_ones_are_not_suggested_and_all_others_are_in_the_end(features, scores):
    labels = dict.fromkeys(IDS[:390], "on")
    found = suggest(IDS, labels=labels, scores=scores, features=features, count=100)
    assert sorted(suggestion.id for suggestion in found) == IDS[390:]
    assert suggest(IDS, labels=dict.fromkeys(IDS, "off"), scores=scores, features=features, count=9) == []


def test_the_same_arguments_give_the_same_suggestions(features, scores):
    labels = {IDS[5]: "on"}
    one, two = (suggest(IDS, labels=labels, scores=scores, features=features, count=30) for _ in range(2))
    assert one == two


def test_pictures_without_a_score_are_no_trouble(features):
    assert len(suggest(IDS, labels={}, scores={IDS[0]: 0.5}, features=features, count=20)) == 20


def test_the_random_order_stays_when_pictures_come_and_go():
    whole, half = random_order(IDS), random_order(IDS[::2])
    assert half == [id for id in whole if id in set(IDS[::2])]
    assert whole != IDS


def test_the_random_slice_ends_at_the_first_one_without_a_label():
    order = random_order(IDS)
    labels = dict.fromkeys([*order[:7], *order[8:30]], "on")
    assert random_slice(IDS, labels) == order[:7]
    assert random_slice(IDS, {}) == []


def test_random_suggestions_make_the_random_slice_grow(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=100)
    labels = {suggestion.id: "on" for suggestion in found}
    assert len(random_slice(IDS, labels)) >= 20
