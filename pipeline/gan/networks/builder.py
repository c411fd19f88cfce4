"""Build a network: a layer factory with names, self-attention, and a network that may grow.

Each layer is made once and found again by its name, so that several graphs can share it. Self-attention is after
Zhang et al. 2019 (SAGAN).
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.devices import keras
from pipeline.gan.config.__init__ import Definition, Network
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.layers import Blend, Bounded, FusedBatchNorm, LayerNorm

KERNEL = 4  # of strided convolutions; a multiple of the stride: no checkerboard (Odena et al. 2016)
# Keras' own 0.99 remembers a hundred steps: in a short run the statistics would lag behind the weights they belong to
MOMENTUM = 0.9
EPSILON = 1e-5
BEFORE_RELU = math.sqrt(2.0)  # keeps the signal's size through a ReLU (He et al. 2015)
Tensor = keras.KerasTensor


class LayerFactory:
    """Makes layers as `network` says; `plain` ones are Keras' own, whatever it says of weights.

    First kernels follow from `seed` and a layer's name, not from the order.
    """

    def __init__(self, network: Network, *, role: str, seed: int, dtype: str, plain: bool = False) -> None:
        self.network, self.role, self.seed, self.dtype, self.plain = network, role, seed, dtype, plain
        self._made: dict[str, keras.layers.Layer] = {}

    @property
    def _bounded(self) -> bool:
        return self.network.weights != "free" and not self.plain

    @property
    def variables(self) -> list[keras.Variable]:
        """Of all layers, in the order in which they were first asked for."""
        return [variable for layer in self._made.values() for variable in layer.variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Those of `variables` that an optimizer moves."""
        return [variable for layer in self._made.values() for variable in layer.trainable_variables]

    @property
    def bounded(self) -> list[Bounded]:
        """The layers whose kernels are held in bounds."""
        return [layer for layer in self._made.values() if isinstance(layer, Bounded)]

    @property
    def blends(self) -> list[Blend]:
        """The layers at which a new side fades in."""
        return [layer for layer in self._made.values() if isinstance(layer, Blend)]

    def known(self, name: str) -> keras.layers.Layer | None:
        """The layer called `name`, if it was made."""
        return self._made.get(name)

    def find(self, name: str, make: Callable[[], keras.layers.Layer]) -> keras.layers.Layer:
        """The layer called `name`; made on first sight."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def conv(self, x: Tensor, width: int, *, name: str, kernel: int = 3, stride: int = 1, **more: object) -> Tensor:
        """A convolution with 'same' borders."""
        fan = kernel * kernel * x.shape[-1]
        return self._kernelled("conv", x, width, kernel=kernel, stride=stride, fan=fan, name=name, **more)

    def up(self, x: Tensor, width: int, *, name: str, **more: object) -> Tensor:
        """A transposed convolution to twice the side."""
        fan = KERNEL * KERNEL * x.shape[-1] // 4  # a quarter of the kernel meets each pixel
        return self._kernelled("up", x, width, kernel=KERNEL, stride=2, fan=fan, name=name, **more)

    def dense(self, x: Tensor, width: int, *, name: str, **more: object) -> Tensor:
        """A product with a matrix."""
        return self._kernelled("dense", x, width, kernel=0, stride=0, fan=x.shape[-1], name=name, **more)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """`x` normalised as the network says; layer norm is over side and channels (Ba et al. 2016)."""
        if self.network.norm == "none":
            return x
        return self.find(name, lambda: self._norm(name))(x)

    def relu(self, x: Tensor, slope: float = 0.0) -> Tensor:
        """A ReLU, with `slope` below zero."""
        if not slope:
            return keras.layers.ReLU(dtype=self.dtype)(x)
        if keras.backend.backend() == "jax" and not self.plain:
            return keras.layers.Activation(_leaky(slope), dtype=self.dtype)(x)
        return keras.layers.LeakyReLU(negative_slope=slope, dtype=self.dtype)(x)

    def blend(self, old: Tensor, new: Tensor, name: str, *, dtype: str | None = None) -> Tensor:
        """`old` and `new` mixed, for a side that fades in."""
        return self.find(name, lambda: Blend(name=name, dtype=dtype or self.dtype))([old, new])

    def begin(self, layer: keras.layers.Layer, *, fan: int, gain: float) -> None:
        """Draw the first kernel of `layer`, just built, whose outputs sum over `fan` inputs.

        Drawn by NumPy: each backend would make other numbers of the same seed.
        """
        text = f"{self.role}/{layer.name}/{self.seed}".encode()
        draw = np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))
        spread = 0.02 if self.network.initial == "dcgan" else gain / math.sqrt(fan)
        kernel = layer.trainable_variables[0]
        kernel.assign(draw.standard_normal(kernel.shape, np.float32) * np.float32(spread))
        if isinstance(layer, Bounded):
            layer.settle()

    def _norm(self, name: str) -> keras.layers.Layer:
        if self.network.norm == "layer":
            layer = keras.layers.GroupNormalization if self.plain else LayerNorm
            return layer(groups=1, epsilon=EPSILON, name=name, dtype=self.dtype)
        make = keras.layers.BatchNormalization if self.plain else FusedBatchNorm
        return make(momentum=MOMENTUM, epsilon=EPSILON, name=name, dtype=self.dtype)

    def _kernelled(
        self,
        kind: str,
        x: Tensor,
        width: int,
        *,
        kernel: int,
        stride: int,
        fan: int,
        name: str,
        bias: bool = True,
        gain: float = BEFORE_RELU,
        zero: bool = False,
        gated: bool = False,
        dtype: str | None = None,
    ) -> Tensor:
        """The layer `name` applied to `x`.

        `zero` starts it at nothing, where a kernel of zeros can be normalised; `gated` does so wherever.
        """
        if known := self.known(name):
            return known(x)
        options = {"use_bias": bias, "kernel_initializer": "zeros", "name": name, "dtype": dtype or self.dtype}
        options |= {"gated": gated} if self._bounded else {}
        layer = self.find(name, lambda: self._made_of(kind, width, kernel=kernel, stride=stride, options=options))
        y = layer(x)
        if self._bounded or not (zero or gated):
            self.begin(layer, fan=fan, gain=gain)
        return y

    def _made_of(self, kind: str, width: int, *, kernel: int, stride: int, options: dict) -> keras.layers.Layer:
        if self._bounded:
            return Bounded(kind, width, rule=self.network.weights, kernel_size=kernel, strides=stride, **options)
        if kind == "dense":
            return keras.layers.Dense(width, **options)
        make = keras.layers.Conv2DTranspose if kind == "up" else keras.layers.Conv2D
        return make(width, kernel, strides=stride, padding="same", **options)


def _leaky(slope: float) -> Callable[[Tensor], Tensor]:
    """A leaky ReLU with TensorFlow's derivative at 0, `slope`: JAX has 1 there, where whole patches of a picture lie
    that cutout has emptied."""
    return lambda x: keras.ops.where(x > 0, x, x * keras.ops.cast(slope, x.dtype))


@dataclass(frozen=True, kw_only=True)
class GrowingNetwork:
    """`settled[i]` works at the i-th side, `fading[i]` while that side comes in; without growing there is one stage.

    All variables are there from the start, so that optimizers and checkpoints have the same ones throughout.
    """

    layers: LayerFactory
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

    @property
    def parameters(self) -> int:
        """How many numbers an optimizer moves."""
        return sum(math.prod(variable.shape) for variable in self.trainable_variables)

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


@dataclass(frozen=True, kw_only=True)
class NetworkBuilder(ABC):
    """Draws the graph of any stage of a network, always with the same layers."""

    definition: Definition
    sides: Resolutions
    channels: int
    layers: LayerFactory

    @abstractmethod
    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The network for pictures of `level`, or while these are fading in."""

    def staged(self) -> GrowingNetwork:
        """The network at each of its stages."""
        levels = self.sides.stages(self.definition)
        settled = tuple(self.model(level, fading=False) for level in levels)
        fading = (None, *(self.model(level, fading=True) for level in levels[1:]))
        return GrowingNetwork(layers=self.layers, settled=settled, fading=fading)


def attend(layers: LayerFactory, x: Tensor, *, name: str) -> Tensor:
    """`x` (B, H, W, C) plus what each place gathers from all others; at first nothing.

    SAGAN's factor that starts at 0 is part of the last convolution, whose kernel starts at 0. As in BigGAN, keys and
    values are pooled, which makes it four times cheaper.
    """
    side, width = x.shape[1], x.shape[-1]
    narrow, half = max(width // 8, 1), max(width // 2, 1)
    query = _places(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_query"))
    key = _places(_pooled(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_key")))
    value = _places(_pooled(layers.conv(x, half, kernel=1, bias=False, gain=1.0, name=f"{name}_value")))
    seen = keras.layers.Attention(dtype=layers.dtype)([query, value, key])
    seen = keras.layers.Reshape((side, x.shape[2], half), dtype=layers.dtype)(seen)
    change = layers.conv(seen, width, kernel=1, bias=False, gain=1.0, gated=True, name=f"{name}_out")
    return keras.layers.Add(dtype=layers.dtype)([x, change])


def _pooled(x: Tensor) -> Tensor:
    return keras.layers.MaxPooling2D(2, dtype="mixed_bfloat16" if x.dtype == "bfloat16" else "float32")(x)


def _places(x: Tensor) -> Tensor:
    """(B, H, W, C) as (B, H * W, C)."""
    dtype = "mixed_bfloat16" if x.dtype == "bfloat16" else "float32"
    return keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), dtype=dtype)(x)
