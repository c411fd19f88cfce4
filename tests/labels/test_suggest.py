import hashlib
from collections import Counter

import numpy as np
import pytest

from pipeline.labels.suggest import (
    DIFFERENT,
    RANDOM,
    UNCERTAIN,
    Suggester,
    _Coverage,
    random_order,
    random_slice,
    suggest,
)

IDS = sorted(hashlib.sha256(b"%d" % number).hexdigest() for number in range(400))


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)


@pytest.fixture
def scores():
    return dict(zip(IDS, np.linspace(0, 1, 400).tolist(), strict=True))


def count_by_reason(found) -> Counter:
    return Counter(suggestion.why for suggestion in found)


def test_suggestions_are_60_percent_uncertain_20_different_20_random(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=100)
    assert count_by_reason(found) == {UNCERTAIN: 60, DIFFERENT: 20, RANDOM: 20}
    assert len({suggestion.id for suggestion in found}) == 100


def test_uncertain_suggestions_have_scores_near_one_half(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=50)
    distances = [abs(scores[suggestion.id] - 0.5) for suggestion in found if suggestion.why == UNCERTAIN]
    assert np.mean(distances) < 0.12


def test_copies_do_not_fill_the_uncertain_suggestions(scores):
    """Twenty copies, with scores nearest to one half, do not fill the batch."""
    features = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    features[190:210] = 5
    found = suggest(IDS, labels={}, scores=scores, features=features, count=40)
    assert sum(suggestion.why == UNCERTAIN and suggestion.id in IDS[190:210] for suggestion in found) <= 3


def test_different_suggestions_are_far_from_labelled_pictures():
    features = np.zeros((400, 2), np.float32)
    features[:10], features[10:13] = [3, 0], [0, 9]
    found = suggest(IDS, labels={IDS[20]: "on", IDS[0]: "off"}, scores=None, features=features, count=2)
    first = next(suggestion.id for suggestion in found if suggestion.why == DIFFERENT)
    assert first in IDS[10:13]


def test_without_scores_no_suggestion_is_uncertain(features):
    assert count_by_reason(suggest(IDS, labels={}, scores=None, features=features, count=50)) == {
        DIFFERENT: 40,
        RANDOM: 10,
    }
    assert count_by_reason(suggest(IDS, labels={}, scores=None, features=None, count=50)) == {RANDOM: 50}


def test_only_unlabelled_pictures_are_suggested(features, scores):
    labels = dict.fromkeys(IDS[:390], "on")
    found = suggest(IDS, labels=labels, scores=scores, features=features, count=100)
    assert sorted(suggestion.id for suggestion in found) == IDS[390:]
    assert suggest(IDS, labels=dict.fromkeys(IDS, "off"), scores=scores, features=features, count=9) == []


def test_suggest_is_deterministic(features, scores):
    labels = {IDS[5]: "on"}
    one, two = (suggest(IDS, labels=labels, scores=scores, features=features, count=30) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("known", [{"scores", "features"}, {"features"}, {"scores"}, set()])
def test_one_suggester_suggests_what_a_new_one_does_whatever_is_labelled_meanwhile(features, scores, known):
    found = {"scores": scores if "scores" in known else None, "features": features if "features" in known else None}
    suggester, labels = Suggester(IDS, **found), {}
    for turn in range(6):
        batch = suggester.suggest(labels, 20)
        assert batch == suggest(IDS, labels=labels, count=20, **found)
        labels |= {each.id: "on" for each in batch[turn:]}
        if turn == 3:
            del labels[batch[-1].id]  # taken back


def test_only_new_labels_are_compared_with_all_pictures(features, monkeypatch):
    def apart(self, index):
        compared.append(index)
        return real(self, index)

    compared, real = [], _Coverage._apart
    monkeypatch.setattr(_Coverage, "_apart", apart)
    suggester = Suggester(IDS, scores=None, features=features)
    suggester.suggest(dict.fromkeys(IDS[:50], "on"), 5)
    assert len(compared) == 50 + 5
    suggester.suggest(dict.fromkeys(IDS[:53], "on"), 5)
    assert compared[55:58] == [50, 51, 52]
    assert len(compared) == 50 + 5 + 3 + 5


def test_pictures_without_a_score_are_suggested(features):
    assert len(suggest(IDS, labels={}, scores={IDS[0]: 0.5}, features=features, count=20)) == 20


def test_random_order_is_stable_when_pictures_are_added():
    whole, half = random_order(IDS), random_order(IDS[::2])
    assert half == [id for id in whole if id in set(IDS[::2])]
    assert whole != IDS


def test_random_slice_ends_at_the_first_unlabelled_picture():
    order = random_order(IDS)
    labels = dict.fromkeys([*order[:7], *order[8:30]], "on")
    assert random_slice(IDS, labels) == order[:7]
    assert random_slice(IDS, {}) == []


def test_random_suggestions_extend_the_random_slice(features, scores):
    found = suggest(IDS, labels={}, scores=scores, features=features, count=100)
    labels = {suggestion.id: "on" for suggestion in found}
    assert len(random_slice(IDS, labels)) >= 20
