"""The sides of a network's feature maps and pictures, and how many channels each has."""

from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.gan.definition import Definition, Network
from pipeline.gan.sizes import check_size, halvings


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Levels of feature maps from the coarsest, 4 to 7 pixels, doubling up to half the picture's `size`."""

    size: int
    levels: int

    @classmethod
    def of(cls, size: int) -> "Sides":
        """For pictures of `size` pixels. Errors: `UserError` naming the nearest size that works."""
        check_size(size)
        return cls(size=size, levels=halvings(size))

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
