"""Image sizes that networks can be built for, the side of each feature map, and the minimum size of the weights.

A definition of one line can ask for gigabytes, so a file of weights is compared with `min_weight_bytes` before it is
read.
"""

from dataclasses import dataclass
from itertools import pairwise

from pipeline.errors import UserError
from pipeline.gan.config import Definition, LoadedDefinition, Network
from pipeline.store.npz import ForeignFile

SMALLEST_SIDE, LARGEST_SIDE = 16, 512
COARSEST_SIDES = range(4, 8)  # side of the coarsest feature map: 4 as in DCGAN; 5 to 7 for sizes such as 40, 48, 56
SKIPPED_LEVELS = 4  # from a map to the one whose channels it weights in skip-layer excitation, 16 times as wide
NETWORKS = ("generator", "average", "discriminator")
STRIDED, RESIZED, RESIDUAL = 16, 9, 9  # area of a kernel: strided 4x4, 3x3 after resizing, 3x3 in a residual block
DISCRIMINATION_VALUES = 128  # weights of minibatch discrimination for each feature
BYTES_PER_WEIGHT = 4  # weights are float32 whatever the precision of the computation


def halving_count(size: int) -> int | None:
    """How often a side of `size` pixels can be halved until it is 4 to 7 pixels; None if a half is not whole."""
    count = 0
    while size >= 2 * COARSEST_SIDES.start and size % 2 == 0:
        size, count = size // 2, count + 1
    return count if size in COARSEST_SIDES else None


SIZES = tuple(size for size in range(SMALLEST_SIDE, LARGEST_SIDE + 1) if halving_count(size))


def check_size(size: int, *, remedy: str = "set the size of normalize to") -> None:
    """Raise a `UserError` with the `remedy` and the nearest valid sizes, unless `size` is valid."""
    if size not in SIZES:
        below = max((known for known in SIZES if known < size), default=SIZES[0])
        above = min((known for known in SIZES if known > size), default=SIZES[-1])
        near = " or ".join(str(known) for known in sorted({below, above}))
        raise UserError(f"no generator can be built for pictures of {size} pixels: {remedy} {near}")


@dataclass(frozen=True, kw_only=True)
class Resolutions:
    """The levels of feature maps for pictures of `size` pixels.

    The coarsest is 4 to 7 pixels wide, and each next one is twice as wide, up to half of `size`. The generator of a
    multi-scale GAN has one more, at `levels`, of the full `size`.
    """

    size: int
    levels: int

    @classmethod
    def of(cls, size: int) -> "Resolutions":
        """The levels for pictures of `size` pixels. Errors: `UserError` with the nearest valid sizes."""
        check_size(size)
        return cls(size=size, levels=halving_count(size) or 0)

    def map_side(self, level: int) -> int:
        """The side in pixels of the feature map at `level`; level 0 is the coarsest."""
        return self.size >> (self.levels - level)

    def picture_side(self, level: int) -> int:
        """The side in pixels of the picture at `level`: twice that of the feature map."""
        return 2 * self.map_side(level)

    def scales(self, definition: Definition) -> list[int]:
        """The sides in pixels of the pictures that the networks exchange at full size, the coarsest first."""
        return [self.map_side(level) for level in range(0 if definition.multi_scale else self.levels, self.levels + 1)]

    def width(self, network: Network, level: int) -> int:
        """Channels at `level`: `network.width` at half of `size`; they double with each coarser level up to
        `max_width`, and are half as many at the full `size`."""
        return min((network.width << (self.levels - level)) >> 1, network.max_width)

    def unused(self, definition: Definition) -> list[str]:
        """A warning for each part of `definition` that has no effect at this size."""
        return self._unused_attention(definition) + self._unused_excitation(definition)

    def _unused_attention(self, definition: Definition) -> list[str]:
        """A warning for each network that has no feature map of a side that its `attention` names."""
        sides = [self.map_side(level) for level in reversed(range(self.levels))]
        return [
            f"{name}.attention = {list(network.attention)}: feature maps of {self.size} px pictures are"
            f" {', '.join(map(str, sides))} wide, so there is no attention; name one of these"
            for name, network in (("generator", definition.generator), ("discriminator", definition.discriminator))
            if network.attention and not set(sides) & set(network.attention)
        ]

    def _unused_excitation(self, definition: Definition) -> list[str]:
        """A warning if the generator has no two feature maps between which there is skip-layer excitation."""
        maps = self.levels + definition.multi_scale
        if not definition.generator.skip_excitation or maps > SKIPPED_LEVELS:
            return []
        least = COARSEST_SIDES.start << (SKIPPED_LEVELS + 1 - definition.multi_scale)
        return [
            f"generator.skip_excitation: pictures of {self.size} px have no feature maps that are 16 times as wide as"
            f" others, so there is no excitation; normalize.size {least} and more has them"
        ]

    def stages(self, definition: Definition) -> tuple[int, ...]:
        """The levels that a growing GAN goes through; without progressive growing, the finest level alone."""
        start = definition.growing.start
        if not start:
            return (self.levels - 1,)
        found = tuple(level for level in range(self.levels) if self.picture_side(level) >= start)
        if len(found) < 2:
            raise UserError(
                f"growing.start = {start}: too large for pictures of {self.size} pixels to grow; set it to"
                f" {self.picture_side(0)}, or to 0"
            )
        return found


def definition_warnings(loaded: LoadedDefinition, *, file: str, size: int) -> list[str]:
    """Warn of each field of the definition in `file` that is not followed, or has no effect at this picture `size`.

    Errors: `UserError` for a size that no network can be built for.
    """
    resolutions, definition = Resolutions.of(size), loaded.definition
    return [f"{file}: {warning}" for warning in (*loaded.warnings, *resolutions.unused(definition))]


def min_weight_bytes(definition: Definition, *, size: int, channels: int) -> dict[str, int]:
    """The minimum bytes of the weights of each of NETWORKS for pictures (size, size, channels).

    Counts the kernels, but not those of attention and shortcuts, which are always the smaller part.
    """
    resolutions = Resolutions.of(size)
    generator = BYTES_PER_WEIGHT * _generator_weights(definition, resolutions, channels)
    discriminator = BYTES_PER_WEIGHT * _discriminator_weights(definition, resolutions, channels)
    return {"generator": generator, "average": generator, "discriminator": discriminator}


def check_weight_bytes(definition: Definition, found: dict[str, int], *, size: int, channels: int) -> None:
    """Raise `ForeignFile` if a network in `found` (its bytes by name) has fewer bytes than `definition` needs."""
    least = min_weight_bytes(definition, size=size, channels=channels)
    for name, bytes_held in found.items():
        if bytes_held < least[name]:
            raise ForeignFile(f"holds {bytes_held:,} bytes of {name}; its definition needs {least[name]:,} or more")


def _generator_weights(definition: Definition, resolutions: Resolutions, channels: int) -> int:
    network = definition.generator
    maps = resolutions.levels + definition.multi_scale
    widths = [resolutions.width(network, level) for level in range(maps)]  # the coarsest first
    kernel = STRIDED if network.upsample == "transposed" else RESIZED
    residual = RESIDUAL if network.blocks == "residual" else 0
    first = definition.latent * resolutions.map_side(0) ** 2 * widths[0]
    blocks = sum(kernel * before * width + residual * width**2 for before, width in pairwise(widths))
    heads = sum(widths) if definition.multi_scale else kernel * widths[-1]
    return first + blocks + heads * channels


def _discriminator_weights(definition: Definition, resolutions: Resolutions, channels: int) -> int:
    network = definition.discriminator
    widths = [resolutions.width(network, level) for level in range(resolutions.levels)]
    residual = RESIDUAL if network.blocks == "residual" else 0
    blocks = sum(STRIDED * width * before + residual * before**2 for width, before in pairwise(widths))
    features = resolutions.map_side(0) ** 2 * widths[0]
    discrimination = features * DISCRIMINATION_VALUES if network.minibatch == "discrimination" else 0
    joins = sum((channels + width) * width for width in widths) if definition.multi_scale else 0
    return STRIDED * channels * widths[-1] + blocks + discrimination + joins
