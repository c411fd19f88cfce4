from collections import Counter

from pipeline.labels.seed import seed_labels

from .conftest import picture_id

TRUTH = {picture_id(number): "on" if number % 3 else "off" for number in range(300)}


def test_as_many_of_each_as_asked_for_and_all_true():
    found = seed_labels(TRUTH, on=12, off=20)
    assert Counter(found.values()) == {"on": 12, "off": 20}
    assert found.items() <= TRUTH.items()


def test_the_order_of_the_truth_does_not_matter():
    assert seed_labels(dict(reversed(TRUTH.items()))) == seed_labels(TRUTH)


def test_more_of_the_same_keeps_those_chosen_before():
    assert seed_labels(TRUTH, on=5, off=5).items() <= seed_labels(TRUTH, on=9, off=7).items()


def test_what_is_not_there_cannot_be_chosen():
    assert len(seed_labels(TRUTH, on=1000, off=0)) == 200
