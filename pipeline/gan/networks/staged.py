"""A network that may grow: a model for each side of picture, all of the same layers."""

from dataclasses import dataclass

from pipeline.gan.networks.layers import Layers
from pipeline.gan.runtime import keras


@dataclass(frozen=True, kw_only=True)
class Staged:
    """`settled[i]` works at the i-th side, `fading[i]` while that side comes in; without growing there is one stage.

    All variables are there from the start, so that optimizers and checkpoints have the same ones throughout.
    """

    layers: Layers
    settled: tuple[keras.Model, ...]
    fading: tuple[keras.Model | None, ...]

    @property
    def whole(self) -> keras.Model:
        """The finished network."""
        return self.settled[-1]

    @property
    def variables(self) -> list[keras.Variable]:
        """All of them, whichever stage uses them."""
        return self.layers.variables

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Those of `variables` that an optimizer moves."""
        return self.layers.trainable_variables

    def at(self, stage: int, *, fading: bool) -> keras.Model:
        """The model of one stage."""
        return self.fading[stage] if fading else self.settled[stage]

    def set_fade(self, share: object) -> None:
        """Let new sides count for `share`, from 0 to 1."""
        for blend in self.layers.blends:
            blend.fade.assign(share)

    def turn(self) -> None:
        """One turn of the power iteration in every layer under spectral norm."""
        for layer in self.layers.bounded:
            layer.turn()
