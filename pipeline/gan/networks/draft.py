"""What the drawings of both networks share: what is drawn, of which layers, at which sides."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pipeline.gan.definition import Definition
from pipeline.gan.networks.layers import Layers
from pipeline.gan.networks.staged import Staged
from pipeline.gan.runtime import keras
from pipeline.gan.sides import Sides


@dataclass(frozen=True, kw_only=True)
class Draft(ABC):
    """Draws the graph of any stage of a network, always with the same layers."""

    definition: Definition
    sides: Sides
    channels: int
    layers: Layers

    @abstractmethod
    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The network for pictures of `level`, or while these are fading in."""

    def staged(self) -> Staged:
        """The network at each of its stages."""
        levels = self.sides.stages(self.definition)
        settled = tuple(self.model(level, fading=False) for level in levels)
        fading = (None, *(self.model(level, fading=True) for level in levels[1:]))
        return Staged(layers=self.layers, settled=settled, fading=fading)
