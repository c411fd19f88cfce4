import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.validation import finite, whole


def test_a_whole_number_of_numpy_becomes_pythons():
    assert type(whole("seed", np.int64(3))) is int  # JSON has no other


def test_a_number_of_numpy_is_one():
    assert finite("truncation", np.float32(0.5)) == 0.5


@pytest.mark.parametrize("value", [0, float("inf"), "2", None])
def test_what_is_not_above_0_is_refused_by_name(value):
    with pytest.raises(UserError, match=r"minutes = .*: expected a number, above 0"):
        finite("minutes", value, above=True)
