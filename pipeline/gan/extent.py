"""How many numbers the networks of a definition hold at the least, told without building them.

A definition of one line can ask for gigabytes. Whoever has a file of weights beside it compares the two first.
"""

from itertools import pairwise

from pipeline.filter.stored_zip import Foreign
from pipeline.gan.definition import Definition
from pipeline.gan.sides import Sides

NETWORKS = ("generator", "average", "discriminator")
KERNEL, RESIZED, INNER = 16, 9, 9  # numbers in a kernel's plane: strided, after resizing, within a residual block
VIEWS = 128  # of a feature by minibatch discrimination
BYTES = 4  # that a number takes: weights are float32 whatever is computed in


def least_bytes(definition: Definition, *, size: int, channels: int) -> dict[str, int]:
    """What each of NETWORKS takes at least for pictures (size, size, channels): their kernels,
    but for those of attention and shortcuts, which are never the larger part."""
    sides = Sides.of(size)
    generator, discriminator = (of(definition, sides, channels) for of in (_of_generator, _of_discriminator))
    return dict(zip(NETWORKS, (BYTES * generator, BYTES * generator, BYTES * discriminator), strict=True))


def check_extent(definition: Definition, found: dict[str, int], *, size: int, channels: int) -> None:
    """Raise `Foreign` unless each network in `found` has as many bytes as `definition` calls for at the least."""
    least = least_bytes(definition, size=size, channels=channels)
    for name, held in found.items():
        if held < least[name]:
            raise Foreign(f"holds {held:,} bytes of {name} where its definition calls for {least[name]:,} or more")


def _of_generator(definition: Definition, sides: Sides, channels: int) -> int:
    network = definition.generator
    widths = [sides.width(network, level) for level in range(sides.levels)]  # the coarsest first
    kernel = KERNEL if network.upsample == "transposed" else RESIZED
    inner = INNER if network.blocks == "residual" else 0
    first = definition.latent * sides.map(0) ** 2 * widths[0]
    blocks = sum(kernel * before * width + inner * width**2 for before, width in pairwise(widths))
    return first + blocks + kernel * widths[-1] * channels


def _of_discriminator(definition: Definition, sides: Sides, channels: int) -> int:
    network = definition.discriminator
    widths = [sides.width(network, level) for level in range(sides.levels)]
    inner = INNER if network.blocks == "residual" else 0
    blocks = sum(KERNEL * width * before + inner * before**2 for width, before in pairwise(widths))
    seen = sides.map(0) ** 2 * widths[0] * VIEWS if network.minibatch == "discrimination" else 0
    return KERNEL * channels * widths[-1] + blocks + seen
