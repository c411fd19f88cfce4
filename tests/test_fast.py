"""The table of what `make test-fast` runs names folders and modules that are there."""

import pytest

from tests.conftest import FAST, NOT_FAST, REPOSITORY


@pytest.mark.parametrize("folder", sorted(FAST))
def test_every_folder_of_the_table_has_tests(folder):
    assert list((REPOSITORY / "tests" / folder).glob("test_*.py"))


@pytest.mark.parametrize("module", sorted(NOT_FAST))
def test_every_module_that_is_left_out_is_there(module):
    assert (REPOSITORY / "tests" / module).is_file()


def test_this_test_is_fast_and_not_slow(request):
    assert request.node.get_closest_marker("fast")
