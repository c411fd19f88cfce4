"""Why a picture cannot be used: expected bad data as values."""

from dataclasses import dataclass

UNKNOWN_FORMAT = "unknown format"
TOO_MANY_PIXELS = "too many pixels"
TOO_SMALL = "too small"
TOO_LONG = "too long"
TRUNCATED = "truncated"
CORRUPT = "corrupt"
PIXEL_FORMAT = "unusual pixel format"
OUT_OF_MEMORY = "out of memory"
BLURRY = "blurry"
DARK = "dark"
LIGHT = "light"
LOW_INFORMATION = "low_information"
ODD_ASPECT_RATIO = "odd_aspect_ratio"
CRASHED = "decoder crashed"
TOO_SLOW = "too slow"


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A picture that is left out, with one of the reasons above; its size in pixels where the header could be read."""

    reason: str
    width: int | None = None
    height: int | None = None
