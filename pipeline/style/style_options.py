"""The options of style transfer: every flag of `python -m tasks stylize` with its default, its bounds and its meaning.

They are no stage's options and have no section in luigi.cfg: that file is about datasets, and a stylised picture
belongs to two files that a person names in the command. The card of each result has all of them.
"""

import math
from typing import Any, Literal

from pydantic import field_validator

from pipeline.errors import UserError
from pipeline.option_types import Options, option

LEAST_SIDE, MOST_SIDE = 32, 512  # pixels; deep layers of smaller pictures have a few places only
MOST_WEIGHT = 1e6
COARSEST = {"content": 64, "noise": LEAST_SIDE}  # `start`: pixels of the longer side if `levels` is auto
LEAST_SHORT = 16  # pixels of the shorter side at every level
MOST_STYLE_SIDE = 1024  # pixels of the longer side of a style; it is in memory with the maps of all layers
LAYER_FORM = "names of layers, each with :WEIGHT or without, separated by commas, for example conv_pw_3:2,conv_pw_5"


class StyleOptions(Options):
    """How a picture is drawn in the style of others."""

    size: int = option(
        256, "longer side of the result in pixels; the other follows from the content", low=LEAST_SIDE, high=MOST_SIDE
    )
    content_weight: float = option(
        1.0,
        "α, how much the content counts, relative to what suits the network: 2 is twice as much",
        low=0,
        high=MOST_WEIGHT,
    )
    style_weight: float = option(
        1.0, "β, how much the style counts, relative to what suits the network", low=0, high=MOST_WEIGHT
    )
    variation_weight: float = option(
        1.0,
        "γ, how much differences between neighbouring pixels count: more gives smoother pictures",
        low=0,
        high=MOST_WEIGHT,
    )
    mix: tuple[float, ...] = option((), "the share of each style, in their order; empty: equal shares")
    content_layers: tuple[str, ...] = option(
        (), "layers that compare the content; deeper ones keep shapes but fewer details; empty: those of the network"
    )
    style_layers: tuple[str, ...] = option(
        (),
        "layers that compare the style, each as NAME or NAME:WEIGHT; deeper ones have larger patterns; empty: those of"
        " the network",
    )
    style_scale: float = option(
        1.0,
        "size of the style's patterns: 0.5 halves them, 2 doubles them; a style is drawn with"
        f" {LEAST_SIDE} to {MOST_STYLE_SIDE} pixels",
        low=0.25,
        high=4,
    )
    colour: Literal["style", "luminance", "histogram"] = option(
        "style",
        "style takes the style's colours; luminance and histogram keep the content's: only brightness is drawn, or the"
        " style is recoloured first",
    )
    start: Literal["content", "noise"] = option("content", "what the first picture is: the content, or only noise")
    noise: float = option(
        0.1,
        "standard deviation of the noise that is added to the content at the start; pixels are 0 to 1",
        low=0,
        high=1,
    )
    optimizer: Literal["adam", "lbfgs"] = option("adam", "what follows the gradient; lbfgs is the paper's")
    learning_rate: float = option(
        0.02, "step of adam at the beginning of each level; pixels are 0 to 1", low=1e-5, high=1
    )
    steps: int = option(100, "steps at each level", low=1, high=100_000)
    levels: int | None = option(
        None,
        "sizes that are drawn one after the other, each twice the one before: 1 is only the full size; auto: from"
        f" {COARSEST['content']} pixels on, or from {COARSEST['noise']} if the first picture is noise",
        low=1,
        high=5,
    )
    shift: int = option(
        4,
        "pixels by which the picture is moved at most before each step (lbfgs: before each ten steps), so that the"
        " network leaves less of a grid; no more than a quarter of its shorter side",
        low=0,
        high=16,
    )
    network: str = option(
        "auto",
        "what compares pictures: VGG19, MobileNet, EfficientNetLite0 (a package ships its weights), a file of weights"
        " of the first two (.h5), or auto: the first of them that is here",
        significant=False,  # the content key has the name and the digest of the weights instead
    )
    pooling: Literal["average", "max"] = option("average", "how VGG19 reduces its maps; the paper prefers average")
    every: int = option(
        10, "steps from one line of stats.jsonl to the next; the first and the last have one too", low=1
    )
    sheets: int = option(24, "intermediate sheets, spread over the steps; the film shows them", low=0, high=500)
    checkpoint_every: int = option(
        20,
        "steps from one checkpoint to the next; a killed call loses what came after the last",
        low=1,
        significant=False,
    )
    seed: int = option(0, "seed of the noise, of the shifts, and of samples that are drawn as content", low=0)

    @field_validator("mix")
    @classmethod
    def _check_mix(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if shares and not (min(shares) >= 0 and 0 < sum(shares) < math.inf):
            raise ValueError("shares of at least 0, not all of them 0, for example 2,1")
        return shares

    @field_validator("style_layers", "content_layers")
    @classmethod
    def _check_layers(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        try:
            weighted = layer_weights(layers)
        except ValueError:
            raise ValueError(LAYER_FORM) from None
        if len(weighted) < len(layers) or any(not 0 <= weight < float("inf") for weight in weighted.values()):
            raise ValueError(f"{LAYER_FORM}; each layer once, with a weight of at least 0")
        if layers and not sum(weighted.values()):
            raise ValueError(f"{LAYER_FORM}; at least one weight above 0")
        return layers

    def sizes(self, aspect: float = 1.0) -> tuple[int, ...]:
        """The longer side in pixels at each level, the coarsest first, the last `size`.

        `aspect` is the content's shorter side as a share of the longer one. Errors: `UserError` if `size` is too small
        for it.
        """
        least = max(COARSEST[self.start] if self.levels is None else LEAST_SIDE, LEAST_SHORT / aspect)
        if self.size * aspect < LEAST_SHORT - 0.5:
            raise UserError(
                f"size = {self.size}: the shorter side of this content would have {self.size * aspect:.0f} pixels, too"
                f" few for the network; give at least {math.ceil(LEAST_SHORT / aspect)}"
            )
        sizes = [self.size]
        while sizes[0] // 2 >= least and len(sizes) < (self.levels or self.size):
            sizes.insert(0, sizes[0] // 2)
        return tuple(sizes)

    def has_line(self, step: int) -> bool:
        """Whether the statistics have a line for `step`, of all levels: the first, the last of a level, every few."""
        in_level = (step - 1) % self.steps + 1
        return step == 1 or in_level % self.every == 0 or in_level == self.steps

    def effective(self, network: str, styles: int) -> dict[str, Any]:
        """The significant options that change the picture that `network` draws in the style of so many pictures.

        Those without an effect have their defaults: so they make no other content key.
        """
        idle = {
            "pooling": network != "VGG19",
            "learning_rate": self.optimizer == "lbfgs",
            "noise": self.start == "noise",
            "mix": len({*self.mix}) <= 1 and len(self.mix) in (0, styles),
        }
        defaults = type(self)().significant()
        return {name: defaults[name] if idle.get(name) else value for name, value in self.significant().items()}


def layer_weights(layers: tuple[str, ...]) -> dict[str, float]:
    """The weight of each layer: `("a", "b:2")` is {"a": 1.0, "b": 2.0}. Errors: `ValueError` for another form."""
    pairs = (layer.partition(":") for layer in layers)
    return {name.strip(): float(weight) if colon else 1.0 for name, colon, weight in pairs}


def style_shares(mix: tuple[float, ...], count: int) -> tuple[float, ...]:
    """The share of each of `count` styles. Errors: `UserError` if `mix` has another number of shares."""
    if mix and len(mix) != count:
        raise UserError(f"mix = {','.join(f'{share:g}' for share in mix)}: expected a share for each of {count} styles")
    return tuple(share / sum(mix) for share in mix) if mix else (1 / count,) * count
