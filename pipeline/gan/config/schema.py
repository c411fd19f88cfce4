"""The schema of a definition: each field with its meaning, its default and its bounds. Loads no network."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.gan.config.rules import (
    check_definition,
    check_discriminator,
    check_network,
    check_optimizer,
    check_penalty,
    check_schedule,
)

Policy = Literal["colour", "translation", "cutout"]
POLICIES: tuple[Policy, ...] = ("colour", "translation", "cutout")
Kind = TypeVar("Kind", int, float)


class Part(BaseModel):
    """A piece of a definition. Values are as JSON has them: "64" is not 64, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def number(default: Kind, text: str, *, low: float, high: float) -> Kind:
    """A field that holds a number from `low` to `high`."""
    return Field(default=default, description=text, ge=low, le=high)


class Schedule(Part):
    """How the learning rate moves over the images that training sees."""

    kind: Literal["constant", "linear", "cosine"] = Field("constant", description="the way from 1 to `final`")
    final: float = number(0.0, "share of the learning rate that is left at the end", low=0, high=1)
    warmup: int = number(0, "images over which the learning rate rises from 0", low=0, high=10**9)
    over: int = number(0, "images until `final` is reached; 0: all that the epochs hold", low=0, high=10**10)

    @model_validator(mode="after")
    def _can_move(self) -> "Schedule":
        check_schedule(self)
        return self


class Optimizer(Part):
    """Adam (Kingma and Ba 2015), or what older recipes ask for."""

    name: Literal["adam", "rmsprop", "sgd"] = Field("adam", description="rmsprop is the first WGAN's")
    learning_rate: float = number(
        1e-3, "five times DCGAN's, with batches a quarter of its size: learns faster; lower it when losses turn NaN or"
        " samples flicker", low=1e-8, high=1,
    )  # fmt: skip
    beta_1: float = number(
        0.5, "memory of the gradient, sgd's momentum too: 0.9 oscillates between two players", low=0, high=0.999
    )
    beta_2: float = number(
        0.99, "memory of the squared gradients, of rmsprop too: a short run has no thousand steps", low=0, high=0.99999
    )
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _can_descend(self) -> "Optimizer":
        check_optimizer(self)
        return self


class Network(Part):
    """One of the two networks. Its channels double with every halving of the side, up to `max_width`."""

    width: int = number(
        32, "channels at half the picture's side; time grows with its square, and in the same minutes 32 comes as far"
        " as 64 or further", low=4, high=1024,
    )  # fmt: skip
    max_width: int = number(512, "channels at most, at the coarsest sides", low=4, high=4096)
    blocks: Literal["plain", "residual"] = Field(
        "plain", description="plain: one convolution a side (DCGAN); residual: two and a shortcut (SNGAN, R3GAN)"
    )
    norm: Literal["none", "batch", "layer"] = Field("batch", description="normalisation of what flows between layers")
    weights: Literal["free", "spectral", "weight"] = Field(
        "free", description="how kernels are held: spectral (Miyato 2018) bounds D's slope, weight is Salimans 2016"
    )
    initial: Literal["dcgan", "he"] = Field(
        "dcgan", description="first kernels: dcgan is N(0, 0.02), right with norms; he keeps the signal's size without"
    )
    attention: tuple[int, ...] = Field(
        (),
        description="sides of the feature maps that get self-attention (SAGAN); those the picture lacks are left out",
    )
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _can_work(self) -> "Network":
        check_network(self)
        return self


class Generator(Network):
    """From latents to pictures."""

    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="resize: nearest, then a 3x3 convolution; smoother, and slower"
    )


class Discriminator(Network):
    """From pictures to one logit, real above 0."""

    minibatch: Literal["none", "stddev", "discrimination"] = Field(
        "none", description="D sees how alike the pictures of a batch are: stddev (Karras 2018), or Salimans 2016"
    )

    @model_validator(mode="after")
    def _can_judge(self) -> "Discriminator":
        check_discriminator(self)
        return self


class Penalty(Part):
    """A term added to D's loss."""

    weight: float = number(0.0, "0: none", low=0, high=1e4)
    every: int = number(1, "steps from one to the next; the weight is multiplied by as much (lazily)", low=1, high=64)

    @model_validator(mode="after")
    def _can_be_due(self) -> "Penalty":
        check_penalty(self)
        return self


class Penalties(Part):
    """What keeps D's slope in bounds."""

    gradient: Penalty = Field(Penalty(), description="WGAN-GP: (slope - 1)^2 between reals and fakes; usual weight 10")
    r1: Penalty = Field(Penalty(), description="half the squared slope on reals (Mescheder 2018)")
    r2: Penalty = Field(Penalty(), description="half the squared slope on fakes")
    clip: float = number(0.0, "the first WGAN's bound on every weight of D, usually 0.01; 0: none", low=0, high=10)


class Smoothing(Part):
    """How far the labels lie from 1 and 0 (Salimans et al. 2016); one-sided smoothing is `real` alone."""

    real: float = number(0.0, "reals are labelled 1 less this", low=0, high=0.5)
    fake: float = number(0.0, "fakes are labelled this", low=0, high=0.5)


class Balance(Part):
    """How often each of the two learns."""

    discriminator_steps: int = number(1, "steps of D for one of G, each on pictures of its own", low=1, high=20)
    skip_above: float = number(
        0.0, "D does not learn while its accuracy, averaged over some 30 steps, is above this; 0: it always learns",
        low=0, high=0.99,
    )  # fmt: skip


class Augment(Part):
    """DiffAugment (Zhao et al. 2020): what D sees of reals and fakes alike, lest it learn the reals by heart."""

    policies: tuple[Policy, ...] = Field(POLICIES, description="what is done to them; [] for nothing")
    probability: float = number(0.8, "of each policy for each picture; at 1 cutout shows in the samples", low=0, high=1)
    flip: bool = Field(False, description="mirror at random: only where left and right do not matter")
    target: float = number(
        0.85, "adaptive (Karras 2020): the probability rises from 0, up to `probability`, while the mean sign of D's"
        " logits on reals is above this, so hundreds of pictures get more of it than thousands; 0: it is fixed",
        low=0, high=0.99,
    )  # fmt: skip
    ramp: int = number(20_000, "images in which an adaptive probability can go from 0 to 1", low=100, high=10**9)


class Ema(Part):
    """The moving average of the generator's weights, which draws the samples (Karras et al. 2020)."""

    half_life: float = number(20_000.0, "in images seen; 0: no average", low=0, high=1e9)
    ramp: float = number(
        0.05, "half-life at most this share of the images seen: short runs need it; 0: no limit",
        low=0, high=1,
    )  # fmt: skip


class Growing(Part):
    """Progressive growing (Karras et al. 2018): coarse pictures first, a finer side faded in after another."""

    start: int = number(0, "side of the first pictures, say 8; 0: full size from the start", low=0, high=128)
    fade: int = number(30_000, "images over which a new side comes in", low=0, high=10**9)
    hold: int = number(30_000, "images seen at a side before the next one comes in", low=0, high=10**9)


class Definition(Part):
    """All that says how to build and train a GAN, but for the size and channels, which the pictures give."""

    description: str = Field("", description="for people: what this one is good for")
    latent: int = number(100, "random numbers that make one picture", low=1, high=4096)
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    loss: Literal["minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic"] = Field(
        "non_saturating", description="what the two networks play for"
    )
    smoothing: Smoothing = Smoothing()
    feature_matching: float = number(
        0.0, "weight of the distance between D's mean features of reals and fakes in G's loss", low=0, high=1e4
    )
    penalties: Penalties = Penalties()
    balance: Balance = Balance()
    augment: Augment = Augment()
    ema: Ema = Ema()
    growing: Growing = Growing()
    batch: int = number(
        16, "pictures in one step: small ones learn more from as many pictures; a GPU wants more", low=2, high=4096
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of the convolutions; auto: bfloat16 where it is measured to be faster, else float32; set float32"
        " to compare backends or machines",
    )

    @model_validator(mode="after")
    def _can_train(self) -> "Definition":
        check_definition(self)
        return self
