"""Which image sizes the networks can be built for, the side of each feature map, and the least size of the weights.

A definition of one line can ask for gigabytes. A file of weights is compared with `least_bytes` before it is read.
"""

from dataclasses import dataclass
from itertools import pairwise

from pipeline.errors import UserError
from pipeline.gan.config import Definition, Network, Reading
from pipeline.store.npz import Foreign

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


@dataclass(frozen=True, kw_only=True)
class Resolutions:
    """Levels of feature maps from the coarsest, 4 to 7 pixels, doubling up to half the picture's `size`."""

    size: int
    levels: int

    @classmethod
    def of(cls, size: int) -> "Resolutions":
        """For pictures of `size` pixels. Errors: `UserError` naming the nearest size that works."""
        check_size(size)
        return cls(size=size, levels=halvings(size) or 0)

    def map(self, level: int) -> int:
        """The side of the feature map at `level`, 0 the coarsest."""
        return self.size >> (self.levels - level)

    def picture(self, level: int) -> int:
        """The side of the picture that is drawn from, and read into, the feature map at `level`."""
        return 2 * self.map(level)

    def width(self, network: Network, level: int) -> int:
        """Channels at `level`: `width` at the finest, doubling towards the coarsest."""
        return min(network.width << (self.levels - 1 - level), network.max_width)

    def unattended(self, definition: Definition) -> list[str]:
        """A line for each network whose attention finds none of the sides that it names."""
        sides = [self.map(level) for level in reversed(range(self.levels))]
        return [
            f"{name}.attention = {list(network.attention)}: feature maps of {self.size} px pictures are"
            f" {', '.join(map(str, sides))} wide, so there is no attention; name one of these"
            for name, network in (("generator", definition.generator), ("discriminator", definition.discriminator))
            if network.attention and not set(sides) & set(network.attention)
        ]

    def stages(self, definition: Definition) -> tuple[int, ...]:
        """The levels at which pictures are drawn in turn; the last alone when nothing grows."""
        start = definition.growing.start
        if not start:
            return (self.levels - 1,)
        found = tuple(level for level in range(self.levels) if self.picture(level) >= start)
        if len(found) < 2:
            raise UserError(
                f"growing.start = {start}: pictures of {self.size} pixels leave nothing to grow; set it to"
                f" {self.picture(0)}, or to 0"
            )
        return found


def cautions(reading: Reading, *, file: str, size: int) -> list[str]:
    """A line for each key of the definition in `file` that is not followed, or has no effect on pictures of `size`
    pixels. Errors: `UserError` for a size that no network fits."""
    return [f"{file}: {told}" for told in (*reading.warnings, *Resolutions.of(size).unattended(reading.definition))]


NETWORKS = ("generator", "average", "discriminator")
KERNEL, RESIZED, INNER = 16, 9, 9  # numbers in a kernel's plane: strided, after resizing, within a residual block
VIEWS = 128  # of a feature by minibatch discrimination
BYTES = 4  # that a number takes: weights are float32 whatever is computed in


def least_bytes(definition: Definition, *, size: int, channels: int) -> dict[str, int]:
    """What each of NETWORKS takes at least for pictures (size, size, channels): their kernels,
    but for those of attention and shortcuts, which are never the larger part."""
    sides = Resolutions.of(size)
    generator, discriminator = (of(definition, sides, channels) for of in (_of_generator, _of_discriminator))
    return dict(zip(NETWORKS, (BYTES * generator, BYTES * generator, BYTES * discriminator), strict=True))


def check_extent(definition: Definition, found: dict[str, int], *, size: int, channels: int) -> None:
    """Raise `Foreign` unless each network in `found` has as many bytes as `definition` calls for at the least."""
    least = least_bytes(definition, size=size, channels=channels)
    for name, held in found.items():
        if held < least[name]:
            raise Foreign(f"holds {held:,} bytes of {name} where its definition calls for {least[name]:,} or more")


def _of_generator(definition: Definition, sides: Resolutions, channels: int) -> int:
    network = definition.generator
    widths = [sides.width(network, level) for level in range(sides.levels)]  # the coarsest first
    kernel = KERNEL if network.upsample == "transposed" else RESIZED
    inner = INNER if network.blocks == "residual" else 0
    first = definition.latent * sides.map(0) ** 2 * widths[0]
    blocks = sum(kernel * before * width + inner * width**2 for before, width in pairwise(widths))
    return first + blocks + kernel * widths[-1] * channels


def _of_discriminator(definition: Definition, sides: Resolutions, channels: int) -> int:
    network = definition.discriminator
    widths = [sides.width(network, level) for level in range(sides.levels)]
    inner = INNER if network.blocks == "residual" else 0
    blocks = sum(KERNEL * width * before + inner * before**2 for width, before in pairwise(widths))
    seen = sides.map(0) ** 2 * widths[0] * VIEWS if network.minibatch == "discrimination" else 0
    return KERNEL * channels * widths[-1] + blocks + seen
