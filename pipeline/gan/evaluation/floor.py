"""Words for a KID: whether samples are as good as reals is only said against the KID of reals with reals."""

from collections.abc import Mapping
from typing import Any

ERRORS = 2  # standard errors of the KID that may be chance


def compare_with_floor(scores: Mapping[str, Any]) -> str:
    """What the KID of `scores` means beside its floor, the KID of one half of the reals against the other; empty if
    any of `kid`, `kid_error` and `kid_floor` is missing or None."""
    kid, error, floor = (scores.get(name) for name in ("kid", "kid_error", "kid_floor"))
    if kid is None or error is None or floor is None:
        return ""
    if kid - floor <= ERRORS * error:
        return "no measurable difference from reals"
    return "worse than reals"
