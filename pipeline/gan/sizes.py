"""Which image sizes the networks can be built for."""

from pipeline.errors import UserError

SMALLEST_SIDE, LARGEST_SIDE = 16, 512
COARSEST = range(4, 8)  # side of the coarsest feature map: DCGAN's 4, or what doubles to 40, 48 and 56


def halvings(size: int) -> int | None:
    """How often a side of `size` pixels halves until it is 4 to 7 pixels; None if it does not come out whole."""
    count = 0
    while size >= 2 * COARSEST.start and size % 2 == 0:
        size, count = size // 2, count + 1
    return count if size in COARSEST else None


SIZES = tuple(size for size in range(SMALLEST_SIDE, LARGEST_SIDE + 1) if halvings(size))


def check_size(size: int, *, cure: str = "set the size of normalize to") -> None:
    """Raise a `UserError` with the `cure` and the nearest size that works, unless `size` does."""
    if size not in SIZES:
        below = max((known for known in SIZES if known < size), default=SIZES[0])
        above = min((known for known in SIZES if known > size), default=SIZES[-1])
        near = " or ".join(str(known) for known in sorted({below, above}))
        raise UserError(f"no generator can be built for pictures of {size} pixels: {cure} {near}")
