"""How a training shares the processor's cores: within a layer, or between layers that do not wait for each other."""

from pipeline.gan.definition import Definition
from pipeline.gan.runtime import AS_IT_LIKES, Threads, usable_cores
from pipeline.gan.sides import Sides

KERNEL_AREA = 16  # of the 4x4 convolutions that nearly all the work is in
# Floating-point operations of one layer above which two cores do better side by side in it. Below, D on reals and D on
# fakes run side by side, each on one core: up to twice as fast at 32 px and 16 pictures in a step
HEAVY = 1.5e9


def share_cores(definition: Definition, *, size: int, cores: int | None = None) -> Threads:
    """What suits a step on pictures of `size` pixels, on so many `cores`; by default those it may use.

    Errors: `UserError` for a size that no network fits.
    """
    cores = cores or usable_cores()
    if cores == 1 or heaviest(definition, size=size) > HEAVY:
        return AS_IT_LIKES
    return side_by_side(cores)


def side_by_side(cores: int) -> Threads:
    """What lets two layers be at work at once."""
    return Threads(within=max(1, cores // 4), between=2)


def heaviest(definition: Definition, *, size: int) -> float:
    """Floating-point operations of the discriminator's heaviest layer on one batch of pictures of `size` pixels."""
    sides, network = Sides.of(size), definition.discriminator
    widths = [sides.width(network, level) for level in range(sides.levels)]
    places = [sides.map(level) ** 2 for level in range(sides.levels)]
    works = [place * into * out for place, into, out in zip(places, widths[1:], widths, strict=False)]
    return 2.0 * definition.batch * KERNEL_AREA * max(works)
