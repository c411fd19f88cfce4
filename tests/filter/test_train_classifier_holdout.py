import hashlib
from collections import Counter

import pytest

from pipeline.filter.train_classifier import number_groups, split_labels

LABELS = {hashlib.sha256(b"%d" % n).hexdigest(): "on" if n % 4 == 0 else "off" for n in range(1000)}


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_holdout_has_about_the_requested_fraction(share):
    split = split_labels(LABELS, share)
    assert abs(len(split.holdout) / len(LABELS) - share) < 0.04
    assert split.train | split.holdout == LABELS
    assert not split.train.keys() & split.holdout.keys()


def test_more_labels_do_not_change_the_holdout_of_others():
    few = dict(list(LABELS.items())[:100])
    assert split_labels(few, 0.2).holdout.items() <= split_labels(LABELS, 0.2).holdout.items()


def test_larger_holdout_contains_the_smaller_one():
    assert split_labels(LABELS, 0.1).holdout.items() <= split_labels(LABELS, 0.3).holdout.items()


def test_near_duplicates_stay_on_one_side_of_the_holdout():
    ids = list(LABELS)
    groups = {id: ids[place - place % 10] for place, id in enumerate(ids)}
    held = split_labels(LABELS, 0.3, groups).holdout.keys()
    sizes = Counter(groups[id] for id in held)
    assert held
    assert set(sizes.values()) == {10}


def test_folds_are_stratified_by_label():
    numbers = number_groups(LABELS)
    assert sorted(numbers.values()) == list(range(1000))
    sizes = Counter((LABELS[id], number % 3) for id, number in numbers.items())
    assert {sizes["on", fold] for fold in range(3)} == {83, 84}
    assert number_groups(dict(reversed(LABELS.items()))) == numbers


def test_near_duplicates_share_a_fold_with_different_labels():
    ids = list(LABELS)
    groups = {id: ids[place - place % 4] for place, id in enumerate(ids)}
    numbers = number_groups(LABELS, groups)
    assert sorted(set(numbers.values())) == list(range(250))
    assert all(numbers[id] == numbers[groups[id]] for id in ids)
