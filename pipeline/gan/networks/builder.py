"""Build a network: a factory of named layers, self-attention, and the stages of a growing network.

Each layer is made once and looked up by name, so that the graphs of several stages share it. Self-attention follows
Zhang et al. 2019 (SAGAN).
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pipeline.devices import keras
from pipeline.gan.config import Definition, Network
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.networks.layers import Blend, Bounded, ConvTranspose, FusedBatchNorm, LayerNorm, ResizeConv

KERNEL = 4  # side of strided kernels; a multiple of the stride avoids checkerboards (Odena et al. 2016)
# Keras' default of 0.99 averages over a hundred steps: in a short run the statistics would lag behind the weights
MOMENTUM = 0.9
EPSILON = 1e-5
RELU_GAIN = math.sqrt(2.0)  # keeps the variance through a ReLU (He et al. 2015)
Tensor: TypeAlias = keras.KerasTensor


class LayerFactory:
    """Makes the layers of one network, each once by its name.

    Initial kernels depend on `role`, `seed` and the layer's name, not on the order of creation. With `keras_only`, all
    layers are Keras' own: spectral and weight norm are left out.
    """

    def __init__(self, network: Network, *, role: str, seed: int, dtype: str, keras_only: bool = False) -> None:
        self.network, self.role, self.seed, self.dtype, self.keras_only = network, role, seed, dtype, keras_only
        self._layers: dict[str, keras.layers.Layer] = {}

    @property
    def _bounded(self) -> bool:
        return self.network.weights != "free" and not self.keras_only

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of all layers, in the order of creation."""
        return [variable for layer in self._layers.values() for variable in layer.variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that an optimizer updates."""
        return [variable for layer in self._layers.values() for variable in layer.trainable_variables]

    @property
    def bounded(self) -> list[Bounded]:
        """The layers with spectral or weight norm."""
        return [layer for layer in self._layers.values() if isinstance(layer, Bounded)]

    @property
    def blends(self) -> list[Blend]:
        """The layers that fade in a new side."""
        return [layer for layer in self._layers.values() if isinstance(layer, Blend)]

    def get(self, name: str) -> keras.layers.Layer | None:
        """The layer called `name`, or None if there is none yet."""
        return self._layers.get(name)

    def get_or_make(self, name: str, make: Callable[[], keras.layers.Layer]) -> keras.layers.Layer:
        """The layer called `name`; the first call makes it with `make`."""
        if name not in self._layers:
            self._layers[name] = make()
        return self._layers[name]

    def conv(self, x: Tensor, width: int, *, name: str, kernel: int = 3, stride: int = 1, **options: Any) -> Tensor:
        """A convolution with 'same' padding."""
        fan_in = kernel * kernel * x.shape[-1]
        return self._kernel_layer("conv", x, width, kernel=kernel, stride=stride, fan_in=fan_in, name=name, **options)

    def conv_transpose(self, x: Tensor, width: int, *, name: str, **options: Any) -> Tensor:
        """A transposed convolution that doubles the side."""
        fan_in = KERNEL * KERNEL * x.shape[-1] // 4  # a quarter of the kernel contributes to each pixel
        return self._kernel_layer("up", x, width, kernel=KERNEL, stride=2, fan_in=fan_in, name=name, **options)

    def resize_conv(self, x: Tensor, width: int, *, name: str, **options: Any) -> Tensor:
        """Resizing to twice the side, each pixel repeated, and a convolution."""
        kernel = KERNEL - 1
        if self.keras_only:
            resized = keras.layers.UpSampling2D(name=f"{name}_resized", dtype=self.dtype)(x)
            return self.conv(resized, width, kernel=kernel, name=name, **options)
        fan_in = kernel * kernel * x.shape[-1]
        return self._kernel_layer("resize", x, width, kernel=kernel, stride=1, fan_in=fan_in, name=name, **options)

    def dense(self, x: Tensor, width: int, *, name: str, **options: Any) -> Tensor:
        """A dense layer."""
        return self._kernel_layer("dense", x, width, kernel=0, stride=0, fan_in=x.shape[-1], name=name, **options)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """`x` (B, H, W, C) with the network's norm; layer norm is over H, W and C (Ba et al. 2016)."""
        if self.network.norm == "none":
            return x
        return self.get_or_make(name, lambda: self._norm(name))(x)

    def relu(self, x: Tensor, slope: float = 0.0) -> Tensor:
        """A ReLU; with a `slope`, a leaky ReLU of that slope below zero."""
        if not slope:
            return keras.layers.ReLU(dtype=self.dtype)(x)
        if keras.backend.backend() == "jax" and not self.keras_only:
            return keras.layers.Activation(_leaky(slope), dtype=self.dtype)(x)
        return keras.layers.LeakyReLU(negative_slope=slope, dtype=self.dtype)(x)

    def blend(self, old: Tensor, new: Tensor, name: str, *, dtype: str | None = None) -> Tensor:
        """A mixture of `old` and `new` for a side that fades in."""
        return self.get_or_make(name, lambda: Blend(name=name, dtype=dtype or self.dtype))([old, new])

    def init_kernel(self, layer: keras.layers.Layer, *, fan_in: int, gain: float) -> None:
        """Initialise the kernel of `layer`, whose outputs are sums over `fan_in` inputs.

        NumPy draws it: each backend would draw other numbers from the same seed.
        """
        text = f"{self.role}/{layer.name}/{self.seed}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))
        deviation = 0.02 if self.network.initial == "dcgan" else gain / math.sqrt(fan_in)
        kernel = layer.trainable_variables[0]
        kernel.assign(rng.standard_normal(kernel.shape, np.float32) * np.float32(deviation))
        if isinstance(layer, Bounded):
            layer.init_norms()

    def _norm(self, name: str) -> keras.layers.Layer:
        if self.network.norm == "layer":
            layer = keras.layers.GroupNormalization if self.keras_only else LayerNorm
            return layer(groups=1, epsilon=EPSILON, name=name, dtype=self.dtype)
        make = keras.layers.BatchNormalization if self.keras_only else FusedBatchNorm
        return make(momentum=MOMENTUM, epsilon=EPSILON, name=name, dtype=self.dtype)

    def _kernel_layer(
        self,
        kind: str,
        x: Tensor,
        width: int,
        *,
        kernel: int,
        stride: int,
        fan_in: int,
        name: str,
        bias: bool = True,
        gain: float = RELU_GAIN,
        zero: bool = False,
        gated: bool = False,
        dtype: str | None = None,
    ) -> Tensor:
        """The layer `name` applied to `x`.

        With `zero` its kernel starts at zero, unless it has spectral or weight norm, which cannot normalise zeros.
        With `gated` its output starts at zero in any case.
        """
        if existing := self.get(name):
            return existing(x)
        options = {"use_bias": bias, "kernel_initializer": "zeros", "name": name, "dtype": dtype or self.dtype}
        options |= {"gated": gated} if self._bounded else {}
        layer = self.get_or_make(
            name, lambda: self._make_layer(kind, width, kernel=kernel, stride=stride, options=options)
        )
        y = layer(x)
        if self._bounded or not (zero or gated):
            self.init_kernel(layer, fan_in=fan_in, gain=gain)
        return y

    def _make_layer(
        self, kind: str, width: int, *, kernel: int, stride: int, options: dict[str, Any]
    ) -> keras.layers.Layer:
        if self._bounded:
            return Bounded(kind, width, rule=self.network.weights, kernel_size=kernel, strides=stride, **options)
        if kind == "dense":
            return keras.layers.Dense(width, **options)
        up = keras.layers.Conv2DTranspose if self.keras_only else ConvTranspose
        make = {"up": up, "resize": ResizeConv, "conv": keras.layers.Conv2D}[kind]
        return make(width, kernel, strides=stride, padding="same", **options)


def _leaky(slope: float) -> Callable[[Tensor], Tensor]:
    """A leaky ReLU whose derivative at 0 is `slope`, as in TensorFlow.

    JAX has 1 there, and cutout sets whole areas of a picture to 0.
    """
    return lambda x: keras.ops.where(x > 0, x, x * keras.ops.cast(slope, x.dtype))


@dataclass(frozen=True, kw_only=True)
class LayerOwner:
    """What trains the layers of one factory."""

    layers: LayerFactory

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of all layers."""
        return self.layers.variables

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that an optimizer updates."""
        return self.layers.trainable_variables

    def power_iteration(self) -> None:
        """One step of power iteration in every layer with spectral norm."""
        for layer in self.layers.bounded:
            layer.power_iteration()


@dataclass(frozen=True, kw_only=True)
class GrowingNetwork(LayerOwner):
    """A network with one model for each stage of progressive growing; without growing there is one stage.

    `settled[i]` is the model at the i-th side, `fading[i]` the model while that side fades in. All variables exist from
    the start, so that optimizers and checkpoints have the same variables in every stage.

    `whole` is the network of the last stage for pictures at full size (B, S, S, C). It is `settled[-1]`, except for a
    multi-scale GAN, whose `settled[-1]` gives or takes a tuple of pictures, see `pyramid`.
    """

    settled: tuple[keras.Model, ...]
    fading: tuple[keras.Model | None, ...]
    whole: keras.Model

    @property
    def parameters(self) -> int:
        """How many numbers an optimizer moves."""
        return sum(math.prod(variable.shape) for variable in self.trainable_variables)

    def at(self, stage: int, *, fading: bool) -> keras.Model:
        """The model of one stage, or the one while that stage is `fading` in."""
        return self.fading[stage] if fading else self.settled[stage]

    def set_fade(self, share: object) -> None:
        """Set the weight of a new side to `share`, from 0 to 1."""
        for blend in self.layers.blends:
            blend.fade.assign(share)


@dataclass(frozen=True, kw_only=True)
class NetworkBuilder(ABC):
    """Builds the models of all stages of a network from the same layers."""

    definition: Definition
    resolutions: Resolutions
    channels: int
    layers: LayerFactory

    @abstractmethod
    def model(self, level: int, *, fading: bool) -> keras.Model:
        """The model for pictures of `level`, or the one while that level is `fading` in."""

    @abstractmethod
    def multi_scale(self) -> tuple[keras.Model, keras.Model]:
        """The model for the pictures of all scales, and the one of the same layers for full-size pictures alone."""

    def build_stages(self) -> GrowingNetwork:
        """Build the models of all stages."""
        if self.definition.multi_scale:
            joint, whole = self.multi_scale()
            return GrowingNetwork(layers=self.layers, settled=(joint,), fading=(None,), whole=whole)
        levels = self.resolutions.stages(self.definition)
        settled = tuple(self.model(level, fading=False) for level in levels)
        fading = (None, *(self.model(level, fading=True) for level in levels[1:]))
        return GrowingNetwork(layers=self.layers, settled=settled, fading=fading, whole=settled[-1])


def self_attention(layers: LayerFactory, x: Tensor, *, name: str) -> Tensor:
    """Self-attention (SAGAN): `x` (B, H, W, C) plus a residual that starts at 0.

    SAGAN's factor gamma, which starts at 0, is part of the last convolution, whose kernel starts at 0. Keys and values
    are pooled, as in BigGAN, which makes attention four times cheaper.
    """
    side, width = x.shape[1], x.shape[-1]
    narrow, half = max(width // 8, 1), max(width // 2, 1)
    query = _flatten_positions(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_query"))
    key = _flatten_positions(_max_pool(layers.conv(x, narrow, kernel=1, bias=False, gain=1.0, name=f"{name}_key")))
    value = _flatten_positions(_max_pool(layers.conv(x, half, kernel=1, bias=False, gain=1.0, name=f"{name}_value")))
    attended = keras.layers.Attention(dtype=layers.dtype)([query, value, key])
    attended = keras.layers.Reshape((side, x.shape[2], half), dtype=layers.dtype)(attended)
    residual = layers.conv(attended, width, kernel=1, bias=False, gain=1.0, gated=True, name=f"{name}_out")
    return keras.layers.Add(dtype=layers.dtype)([x, residual])


def _max_pool(x: Tensor) -> Tensor:
    return keras.layers.MaxPooling2D(2, dtype="mixed_bfloat16" if x.dtype == "bfloat16" else "float32")(x)


def _flatten_positions(x: Tensor) -> Tensor:
    """Reshape (B, H, W, C) to (B, H * W, C)."""
    dtype = "mixed_bfloat16" if x.dtype == "bfloat16" else "float32"
    return keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), dtype=dtype)(x)
