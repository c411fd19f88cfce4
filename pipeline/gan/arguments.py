"""Numbers that people hand to the object, checked where they come in: further down they would end in a traceback."""

import math
import operator
from numbers import Real

from pipeline.errors import UserError


def whole(name: str, value: object, *, least: int = 0) -> int:
    """`value`, which must be a whole number of at least `least`; `name` names it in the `UserError`."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if found < least:
        raise UserError(f"{name} = {value!r}: expected a whole number, at least {least}")
    return found


def finite(name: str, value: object, *, above: bool = False) -> float:
    """`value`, which must be a number of at least 0, or `above` it; `name` names it in the `UserError`."""
    found = float(value) if isinstance(value, Real) else math.nan
    if not (math.isfinite(found) and (found > 0 if above else found >= 0)):
        raise UserError(f"{name} = {value!r}: expected a number, {'above' if above else 'at least'} 0")
    return found
