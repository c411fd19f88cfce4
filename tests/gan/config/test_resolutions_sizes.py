import pytest

from pipeline.errors import UserError
from pipeline.gan.config.resolutions import check_size, halving_count


@pytest.mark.parametrize(
    ("size", "times"), [(16, 2), (28, 2), (32, 3), (40, 3), (48, 3), (64, 4), (96, 4), (128, 5), (512, 7)]
)
def test_valid_size_halves_to_four_to_seven_pixels(size, times):
    check_size(size)
    assert halving_count(size) == times
    assert size == (size >> times) << times


@pytest.mark.parametrize(("size", "near"), [(18, "16 or 20"), (50, "48 or 56"), (500, "448 or 512")])
def test_invalid_size_error_names_the_nearest_valid_sizes(size, near):
    with pytest.raises(UserError, match=f"{size} pixels.*{near}"):
        check_size(size)
