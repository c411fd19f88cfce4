"""The schema of a definition: each field with its meaning, default and bounds. Importing it loads no network."""

from typing import Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from pipeline.gan.config.rules import (
    check_definition,
    check_discriminator,
    check_lecam,
    check_network,
    check_optimizer,
    check_penalty,
    check_schedule,
)
from pipeline.option_types import StrictModel

Policy = Literal["colour", "translation", "cutout"]
POLICIES: tuple[Policy, ...] = ("colour", "translation", "cutout")
Kind = TypeVar("Kind", int, float)


class Part(StrictModel):
    """A part of a definition. Types are strict ("64" is not 64), and an unknown key is an error."""


def number(default: Kind, text: str, *, low: float, high: float) -> Kind:
    """A field for a number from `low` to `high`."""
    return Field(default=default, description=text, ge=low, le=high)


class Schedule(Part):
    """How the learning rate changes with the number of images seen."""

    kind: Literal["constant", "linear", "cosine", "drop"] = Field(
        "constant", description="linear and cosine: the shape of the decay to `final`; drop: at once, times `factor`"
    )
    final: float = number(0.0, "share of the learning rate at the end", low=0, high=1)
    warmup: int = number(0, "images over which the learning rate rises from 0", low=0, high=10**9)
    over: int = number(0, "images until `final` is reached; 0: all images of all epochs", low=0, high=10**10)
    factor: float = number(0.1, "drop: multiplies the learning rate at each drop", low=0.001, high=0.99)
    at: tuple[int, ...] = Field((), description="drop: the numbers of images seen at which it drops, rising")
    plateaus: int = number(
        0, "drop: how many times it drops when the KID no longer falls, which needs scored samples", low=0, high=10
    )

    @model_validator(mode="after")
    def _can_move(self) -> "Schedule":
        check_schedule(self)
        return self


class Optimizer(Part):
    """Adam (Kingma and Ba 2015), or RMSprop or SGD, which older recipes ask for."""

    name: Literal["adam", "rmsprop", "sgd"] = Field("adam", description="rmsprop is that of the first WGAN")
    learning_rate: float = number(
        1e-3, "five times DCGAN's, with batches an eighth of its size: learns faster; lower it if losses become NaN or"
        " samples flicker", low=1e-8, high=1,
    )  # fmt: skip
    beta_1: float = number(
        0.5, "decay of the mean gradient, and the momentum of sgd: 0.9 oscillates in a GAN", low=0, high=0.999
    )
    beta_2: float = number(
        0.99,
        "decay of the mean squared gradient, also of rmsprop: a short run has no thousand steps",
        low=0,
        high=0.99999,
    )
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _can_descend(self) -> "Optimizer":
        check_optimizer(self)
        return self


class Network(Part):
    """One of the two networks. Its channels double each time the side halves, up to `max_width`."""

    width: int = number(
        32, "channels at half the picture's side; time grows with its square, and in the same time 32 gives samples at"
        " least as good as 64", low=4, high=1024,
    )  # fmt: skip
    max_width: int = number(512, "maximum channels, at the coarsest sides", low=4, high=4096)
    blocks: Literal["plain", "residual"] = Field(
        "plain", description="plain: one convolution a side (DCGAN); residual: two and a shortcut (SNGAN, R3GAN)"
    )
    norm: Literal["none", "batch", "layer"] = Field("batch", description="normalisation of the activations")
    weights: Literal["free", "spectral", "weight"] = Field(
        "free", description="norm of the kernels: spectral (Miyato 2018) bounds D's slope, weight is Salimans 2016"
    )
    initial: Literal["dcgan", "he"] = Field(
        "dcgan", description="initial kernels: dcgan is N(0, 0.02), for networks with norms; he is for those without"
    )
    attention: tuple[int, ...] = Field(
        (),
        description="sides of the feature maps that get self-attention (SAGAN); sides that do not occur are ignored",
    )
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _can_work(self) -> "Network":
        check_network(self)
        return self


class Generator(Network):
    """The generator: latents to pictures."""

    upsample: Literal["transposed", "resize"] = Field(
        "resize",
        description="resize: each pixel is repeated, then a 3x3 convolution: smoother at the same cost; transposed: the"
        " transposed convolutions of DCGAN",
    )
    skip_excitation: bool = Field(
        False,
        description="feature maps of 4 px weight the channels of those of 64 px, 8 px those of 128 (FastGAN, Liu 2021):"
        " for pictures of 128 px and more, and with multi_scale of 64 px, as smaller ones have no such pair",
    )


class Discriminator(Network):
    """The discriminator: pictures to one logit, above 0 for real."""

    minibatch: Literal["none", "stddev", "discrimination"] = Field(
        "none", description="D sees how similar the pictures of a batch are: stddev (Karras 2018), or Salimans 2016"
    )

    reconstruction: float = number(
        0.0, "weight of the squared error of reals that are decoded from D's feature maps, lest it forget what they"
        " show (FastGAN, Liu 2021), usually 1; 0: none", low=0, high=1e4,
    )  # fmt: skip

    vision_aided: bool = Field(
        False,
        description="heads on the maps of a frozen network, EfficientNet-Lite1 on ImageNet, judge too (Kumari 2022):"
        " shapes in minutes; no score is by this network",
    )

    @model_validator(mode="after")
    def _can_judge(self) -> "Discriminator":
        check_discriminator(self)
        return self


class Penalty(Part):
    """A term added to D's loss."""

    weight: float = number(0.0, "0: none", low=0, high=1e4)
    every: int = number(1, "steps between penalties (lazy regularisation); multiplies the weight", low=1, high=64)

    @model_validator(mode="after")
    def _can_be_due(self) -> "Penalty":
        check_penalty(self)
        return self


class LeCam(Part):
    """LeCam (Tseng et al. 2021): D pays for logits on reals above their mean on fakes, and the other way round."""

    weight: float = number(0.0, "0: none; for hundreds of pictures 0.1 to 1", low=0, high=1e4)
    decay: float = number(0.99, "decay of the two means from step to step", low=0, high=0.9999)

    @model_validator(mode="after")
    def _can_be_due(self) -> "LeCam":
        check_lecam(self)
        return self


class Penalties(Part):
    """Penalties and clipping that bound D's slope, or the distance of its logits."""

    gradient: Penalty = Field(Penalty(), description="WGAN-GP: (slope - 1)^2 between reals and fakes; usual weight 10")
    r1: Penalty = Field(Penalty(), description="half the squared slope on reals (Mescheder 2018)")
    r2: Penalty = Field(Penalty(), description="half the squared slope on fakes")
    lecam: LeCam = Field(LeCam(), description="LeCam regularisation: for few pictures, at no cost")
    clip: float = number(0.0, "bound on every weight of D (first WGAN), usually 0.01; 0: none", low=0, high=10)


class Smoothing(Part):
    """Label smoothing (Salimans et al. 2016); one-sided smoothing is `real` alone."""

    real: float = number(0.0, "the label of reals is 1 minus this", low=0, high=0.5)
    fake: float = number(0.0, "the label of fakes is this", low=0, high=0.5)


class Balance(Part):
    """How often D learns for each step of G."""

    discriminator_steps: int = number(1, "steps of D for one step of G, each on other pictures", low=1, high=20)
    skip_above: float = number(
        0.0, "D does not learn while its accuracy, averaged over about 30 steps, is above this; 0: it always learns",
        low=0, high=0.99,
    )  # fmt: skip


class Augment(Part):
    """DiffAugment (Zhao et al. 2020): D sees reals and fakes distorted alike, lest it memorise the reals."""

    policies: tuple[Policy, ...] = Field(POLICIES, description="distortions of what D sees; [] for none")
    probability: float = number(
        0.8, "probability of each policy for each picture; at 1 cutout shows in the samples", low=0, high=1
    )
    flip: Literal["auto", "always", "never"] = Field(
        "auto", description="mirror at random; auto: if the pictures, on average, are as their mirror images"
    )
    target: float = number(
        0.85, "adaptive (Karras 2020): the probability rises from 0, up to `probability`, while the mean sign of D's"
        " logits on reals is above this, so hundreds of pictures get more of it than thousands; 0: it is fixed",
        low=0, high=0.99,
    )  # fmt: skip
    ramp: int = number(20_000, "images in which the adaptive probability can rise from 0 to 1", low=100, high=10**9)

    @field_validator("flip", mode="before")
    @classmethod
    def _read_boolean(cls, value: object) -> object:
        """Read true and false, which definitions of earlier versions have."""
        return {True: "always", False: "never"}[value] if isinstance(value, bool) else value


class Ema(Part):
    """The moving average of the generator's weights, which makes the samples (Karras et al. 2020)."""

    half_life: float = number(20_000.0, "in images seen; 0: no average", low=0, high=1e9)
    ramp: float = number(
        0.05, "limits the half-life to this share of the images seen: short runs need it; 0: no limit",
        low=0, high=1,
    )  # fmt: skip


class Growing(Part):
    """Progressive growing (Karras et al. 2018): coarse pictures first, then finer sides fade in one by one."""

    start: int = number(0, "side of the first pictures, for example 8; 0: full size from the start", low=0, high=128)
    fade: int = number(30_000, "images over which a new side fades in", low=0, high=10**9)
    hold: int = number(30_000, "images at each side before the next side fades in", low=0, high=10**9)


class Definition(Part):
    """How to build and train a GAN. The size and channels are not in it: they come from the pictures."""

    description: str = Field("", description="for people: what this definition is good for")
    latent: int = number(100, "random numbers from which one picture is made", low=1, high=4096)
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    loss: Literal["minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic"] = Field(
        "non_saturating", description="the loss of both networks"
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
    conditional: bool = Field(
        False,
        description="both networks know the class of each picture: G reads it and has a scale and a shift of each class"
        " in its norms, D judges by projection (Miyato 2018)",
    )
    multi_scale: bool = Field(
        False,
        description="MSG-GAN (Karnewar 2020): G gives a picture at every side from 4 to 7 px up, D judges all of them"
        " together, and all sides learn at once",
    )
    batch: int = number(
        16, "pictures in one step: small batches learn more from as many pictures; a GPU wants more", low=2, high=4096
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision of the convolutions; auto: bfloat16 if measured to be faster, else float32; set float32"
        " to compare backends or machines",
    )

    @model_validator(mode="after")
    def _can_train(self) -> "Definition":
        check_definition(self)
        return self
