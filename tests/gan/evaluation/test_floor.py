import pytest

from pipeline.gan.evaluation.floor import compare_with_floor


@pytest.mark.parametrize(
    ("kid", "floor", "said"),
    [
        (0.019, 0.001, "no measurable difference from reals"),
        (0.5, 0.001, "worse than reals"),
        (0.5, 0.49, "no measurable difference from reals"),  # the floor decides, not the number
        (-0.3, 0.0, "no measurable difference from reals"),
        (0.1, None, ""),
        (None, 0.1, ""),
    ],
)
def test_a_kid_is_called_good_or_bad_only_against_its_floor(kid, floor, said):
    assert compare_with_floor({"kid": kid, "kid_error": 0.01, "kid_floor": floor}) == said


def test_scores_of_an_earlier_version_without_a_floor_are_not_judged():
    assert compare_with_floor({"kid": 0.1}) == ""
