from collections import Counter

from pipeline.labels.seed import seed_labels

from .conftest import picture_id

TRUTH = {picture_id(number): "on" if number % 3 else "off" for number in range(300)}


def test_seed_labels_are_true_and_of_the_given_counts():
    found = seed_labels(TRUTH, on=12, off=20)
    assert Counter(found.values()) == {"on": 12, "off": 20}
    assert found.items() <= TRUTH.items()


def test_seed_labels_are_independent_of_the_order_of_truth():
    assert seed_labels(dict(reversed(TRUTH.items()))) == seed_labels(TRUTH)


def test_larger_counts_include_smaller_selections():
    assert seed_labels(TRUTH, on=5, off=5).items() <= seed_labels(TRUTH, on=9, off=7).items()


def test_counts_beyond_the_available_are_limited():
    assert len(seed_labels(TRUTH, on=1000, off=0)) == 200
