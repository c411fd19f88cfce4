"""The reasons for which a picture cannot be used, as values, not as exceptions; `quality` names those of poor ones."""

from dataclasses import dataclass

UNKNOWN_FORMAT = "unknown format"
TOO_MANY_PIXELS = "too many pixels"
TOO_SMALL = "too small"
TOO_LONG = "too long"
TRUNCATED = "truncated"
CORRUPT = "corrupt"
PIXEL_FORMAT = "unusual pixel format"
OUT_OF_MEMORY = "out of memory"
CRASHED = "decoder crashed"
TOO_SLOW = "too slow"


def too_small_words(count: int, min_side: int) -> str:
    """How many pictures are too small, by which setting, and what to do."""
    return f"{count} below normalize.min_side = {min_side}: lower it to keep {'them' if count > 1 else 'it'}"


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A rejected picture: one of the reasons above, and its size in pixels if the header could be read."""

    reason: str
    width: int | None = None
    height: int | None = None
