import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.validation import check_flag, check_number, check_whole


def test_check_whole_converts_numpy_integers():
    assert type(check_whole("seed", np.int64(3))) is int  # for JSON


def test_check_flag_accepts_numpy_booleans():
    assert check_flag("watch", np.bool_(True)) is True


def test_check_number_accepts_numpy_floats():
    assert check_number("truncation", np.float32(0.5)) == 0.5


@pytest.mark.parametrize("value", [0, float("inf"), "2", None])
def test_check_number_error_names_the_argument(value):
    with pytest.raises(UserError, match=r"minutes = .*: expected a number, above 0"):
        check_number("minutes", value, above=True)
