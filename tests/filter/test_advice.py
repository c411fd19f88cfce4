import numpy as np
import pytest

from pipeline.filter.advice import advise
from pipeline.filter.threshold import choose_threshold, evaluate_threshold
from pipeline.options import FilterOptions

# 300 on target of which precision .97 keeps about a third; then the scores fall slowly
SHIFTED = np.concatenate([np.full(100, 0.99), np.linspace(0.95, 0.5, 200), np.full(500, 0.02)])
OPTIONS = FilterOptions(precision=0.99, unsure=0.0)
RISING, FLAT = [[20, 0.5], [40, 0.62], [60, 0.7], [80, 0.75]], [[20, 0.99], [40, 0.991], [60, 0.991], [80, 0.991]]


def find(*, has_backbone=False, curve=RISING, options=OPTIONS, shifted=SHIFTED):
    threshold = choose_threshold(shifted, options.precision, options.unsure)
    return advise(shifted, threshold, options, has_backbone=has_backbone, curve=curve)


def test_the_most_effective_way_comes_first():
    found = find()
    assert {each.way for each in found} == {"weights", "labels", "precision"}
    assert [each.more for each in found] == sorted((each.more for each in found), reverse=True)


def test_lower_precision_says_how_many_squares_it_would_keep():
    (advice,) = [each for each in find() if each.way == "precision"]
    now, then = choose_threshold(SHIFTED, 0.99, 0.0), choose_threshold(SHIFTED, 0.95, 0.0)
    added = [score for score in SHIFTED if then.high <= score < now.high]
    assert f"filter.precision = 0.95, which would keep about {len(added)} squares more" in advice.text
    assert advice.more == round(sum(added)) > 20


def test_a_precision_that_is_asked_for_is_not_advised():
    assert "filter.precision = 0.8" not in str(find(options=FilterOptions(precision=0.8, unsure=0.0)))
    assert "filter.precision = 0.95" not in str(find(options=FilterOptions(precision=0.95, unsure=0.0)))


def test_a_given_threshold_is_lowered_instead_of_the_precision():
    options = FilterOptions(threshold=0.98, unsure=0.0)
    threshold = evaluate_threshold(SHIFTED, 0.98, 0.0)
    (advice,) = [
        each for each in advise(SHIFTED, threshold, options, has_backbone=True, curve=FLAT) if each.way != "labels"
    ]
    assert advice.way == "threshold"
    assert "filter.threshold = " in advice.text


@pytest.mark.parametrize(("backbone", "ways"), [(True, set()), (False, {"weights"})])
def test_weights_are_advised_only_if_there_are_none(backbone, ways):
    assert {each.way for each in find(has_backbone=backbone)} & {"weights"} == ways


def test_weights_come_with_a_way_to_get_them():
    (advice,) = [each for each in find() if each.way == "weights"]
    assert "classifier.backbone = FILE.h5" in advice.text


@pytest.mark.parametrize("curve", [FLAT, [], [[80, 0.8]]])
def test_labels_are_not_advised_if_the_learning_curve_is_flat_or_too_short(curve):
    assert "labels" not in {each.way for each in find(curve=curve)}


def test_no_advice_if_the_recall_is_high():
    assert find(shifted=np.array([0.99] * 300 + [0.01] * 300)) == []


def test_no_advice_if_no_square_has_no_label():
    assert find(shifted=np.array([])) == []
