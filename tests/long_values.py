"""Values of a parametrised test of which `make test` runs some, and `make test-long` the others."""

from collections.abc import Iterable
from typing import Any

import pytest


def and_long(values: Iterable[Any], *, long: Iterable[Any]) -> list[Any]:
    """`values` for `make test`, and those for `make test-long`. A tuple is a value of several parameters."""
    return [*values, *(pytest.param(*each, marks=pytest.mark.long) if isinstance(each, tuple)
                       else pytest.param(each, marks=pytest.mark.long) for each in long)]  # fmt: skip
