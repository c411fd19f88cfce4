"""Keras layers: convolution after resizing, norms of batch, layer and weights, fade-in, minibatch statistics.

Batch norm uses TensorFlow's fused kernel in training, three times faster on a CPU than Keras' own. Layer norm (Ba et
al. 2016) can be differentiated twice. Spectral norm (Miyato et al. 2018) and weight norm (Salimans and Kingma 2016)
store the unnormalised kernel, unlike Keras' `SpectralNormalization`: the gradient flows through the norm, and calling
the layer changes no state; the training step calls `power_iteration`. Minibatch layers show D how similar the samples
of a batch are (Salimans et al. 2016; Karras et al. 2018).
"""

from functools import cache
from typing import Any

from pipeline.devices import backend, has_gpu, keras

Tensor = Any  # a tensor of the backend


@keras.saving.register_keras_serializable("ganmill")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """`BatchNormalization` over (B, H, W, C) with the same results up to rounding. On JAX it is Keras' own."""

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Normalise (B, H, W, C) over all axes but C; in training by the mean and variance of the batch."""
        if not training or keras.backend.backend() != "tensorflow":
            return keras.ops.cast(super().call(x, training=training), self.compute_dtype)
        import tensorflow as tf

        scale, offset = (keras.ops.convert_to_tensor(found, dtype="float32") for found in (self.gamma, self.beta))
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
        self._update_moving(self.moving_mean, mean)
        # The fused kernel returns the unbiased variance, Keras stores the biased one
        self._update_moving(self.moving_variance, variance * (count - 1.0) / count)
        return y

    def _update_moving(self, moving: keras.Variable, now: Tensor) -> None:
        moving.assign(moving * self.momentum + now * (1.0 - self.momentum))


IMAGE_AXES = (1, 2, 3)
ops = keras.ops


@keras.saving.register_keras_serializable("ganmill")
class LayerNorm(keras.layers.GroupNormalization):
    """`GroupNormalization` of one group with the same results up to rounding.

    Keras' own uses TensorFlow's moments, whose variance treats the mean as a constant in the gradient. That is correct
    for the first derivative, but a gradient penalty needs the second.
    """

    def add_weight(self, **options: Any) -> keras.Variable:
        """Keep scale and offset in float32; Keras before 3.13 would cast them to the compute dtype."""
        return super().add_weight(**options | {"autocast": False})

    def call(self, x: Tensor) -> Tensor:
        """Normalise each picture of (B, H, W, C) over H, W and C, then scale and shift each channel."""
        wide = ops.cast(x, "float32")
        centred = wide - ops.mean(wide, axis=IMAGE_AXES, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=IMAGE_AXES, keepdims=True)
        return ops.cast(centred * ops.rsqrt(variance + self.epsilon) * self.gamma + self.beta, self.compute_dtype)


def double_side(x: Tensor, kernel: Tensor) -> Tensor:
    """The transposed convolution of (B, H, W, C) with stride 2 and 'same' padding; `kernel` is (4, 4, K, C).

    For JAX on a processor it is one matrix product, whose results for each pixel are then added where they overlap:
    there XLA computes the gradients of a transposed convolution with plain loops, twenty times as slowly.
    """
    if not _has_slow_transposed():
        return ops.conv_transpose(x, kernel, strides=2, padding="same")
    _, height, width, channels = x.shape
    count = kernel.shape[2]
    matrix = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (channels, -1))
    # A tap of 0 to 3 is twice the offset of the pixel that it reaches, plus its row or column there
    taps = ops.reshape(ops.matmul(ops.reshape(x, (-1, channels)), matrix), (-1, height, width, 2, 2, 2, 2, count))
    total: Tensor = None
    for row in (0, 1):
        for column in (0, 1):
            part = ops.transpose(taps[:, :, :, row, :, column], (0, 1, 3, 2, 4, 5))
            part = ops.reshape(part, (-1, 2 * height, 2 * width, count))
            part = ops.pad(part, ((0, 0), (2 * row, 2 - 2 * row), (2 * column, 2 - 2 * column), (0, 0)))
            total = part if total is None else total + part
    return total[:, 1:-1, 1:-1]


@cache
def _has_slow_transposed() -> bool:
    return backend() == "jax" and not has_gpu()


@keras.saving.register_keras_serializable("ganmill")
class ConvTranspose(keras.layers.Conv2DTranspose):
    """`Conv2DTranspose` with a kernel of 4 and stride 2, with the same results up to rounding."""

    def call(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, 2H, 2W, K)."""
        y = double_side(x, self.kernel)
        return y + self.bias if self.use_bias else y


def as_transposed(kernel: Tensor) -> Tensor:
    """The kernel (4, 4, K, C) with which `double_side` computes what a convolution by `kernel` (3, 3, C, K) does after
    each pixel was repeated in both directions: at four ninths of the cost.

    A convolution reads each pixel twice then, so that neighbouring taps add up.
    """
    kernel = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
    none, before, after = (0, 0), (1, 0), (0, 1)
    kernel = ops.pad(kernel, (after, none, none, none)) + ops.pad(kernel, (before, none, none, none))
    return ops.pad(kernel, (none, after, none, none)) + ops.pad(kernel, (none, before, none, none))


@keras.saving.register_keras_serializable("ganmill")
class ResizeConv(keras.layers.Conv2D):
    """`UpSampling2D` and a `Conv2D` with a kernel of 3, with the same results up to rounding."""

    def call(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, 2H, 2W, K)."""
        y = double_side(x, as_transposed(self.kernel))
        return y + self.bias if self.use_bias else y

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The output shape for an input of `shape`."""
        return (shape[0], 2 * shape[1], 2 * shape[2], self.filters)


INITIAL_ITERATIONS = 20  # power iterations when a layer is built
TINY = 1e-12


@keras.saving.register_keras_serializable("ganmill")
class Bounded(keras.layers.Layer):
    """A convolution ('conv'), one after resizing ('resize'), transposed ('up') or dense layer ('dense') with a
    normalised kernel.

    `rule` 'spectral': the kernel as a matrix (outputs, rest) is divided by its largest singular value. 'weight': the
    kernel of each output has a direction and a learned length. With `gated` the kernel is multiplied by a learned
    number that starts at 0.
    """

    def __init__(
        self,
        kind: str,
        width: int,
        *,
        rule: str,
        kernel_size: int,
        strides: int,
        use_bias: bool,
        kernel_initializer: str,
        gated: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.kind, self.width, self.rule, self.use_bias = kind, width, rule, use_bias
        self.kernel_size, self.strides = kernel_size, strides
        self.kernel_initializer, self.gated = kernel_initializer, gated

    def build(self, shape: tuple) -> None:
        """Create the unnormalised kernel `free`, and the state of its rule."""
        inputs, side = shape[-1], (self.kernel_size, self.kernel_size)
        shapes = {"up": (*side, self.width, inputs), "dense": (inputs, self.width)}
        shape_of_free = shapes.get(self.kind, (*side, inputs, self.width))
        self.free = self._weight("free", shape_of_free, initializer=self.kernel_initializer)
        if self.use_bias:
            self.bias = self._weight("bias", (self.width,), initializer="zeros")
        if self.rule == "spectral":
            self.left = self._weight("left", (self.width,), trainable=False)
        else:
            self.length = self._weight("length", (self.width,))
        if self.gated:
            self.gate = self._weight("gate", (), initializer="zeros")

    def init_norms(self) -> None:
        """Set the state of the rule to fit the kernel `free`, after its initialisation."""
        if self.rule == "weight":
            self.length.assign(ops.sqrt(ops.sum(ops.square(self._matrix()), axis=1)))
        for _ in range(INITIAL_ITERATIONS):
            self.power_iteration()

    @property
    def kernel(self) -> Tensor:
        """The normalised kernel, in the shape that Keras' own layer has."""
        return self._normalised_kernel() * self.gate if self.gated else self._normalised_kernel()

    def power_iteration(self) -> None:
        """One step of power iteration towards the left vector of the largest singular value."""
        if self.rule == "spectral":
            matrix = ops.stop_gradient(self._matrix())
            self.left.assign(_unit(ops.matmul(matrix, _unit(ops.matmul(self.left, matrix)))))

    def call(self, x: Tensor) -> Tensor:
        """Compute what Keras' own layer of this kind computes, with the normalised kernel."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        if self.kind == "conv":
            x = ops.conv(x, kernel, strides=self.strides, padding="same")
        elif self.kind in ("up", "resize"):
            x = double_side(x, kernel if self.kind == "up" else as_transposed(kernel))
        else:
            x = ops.matmul(x, kernel)
        return x + ops.cast(self.bias, self.compute_dtype) if self.use_bias else x

    def get_config(self) -> dict[str, Any]:
        """The arguments that create the same layer."""
        names = ("kind", "width", "rule", "kernel_size", "strides", "use_bias", "kernel_initializer", "gated")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The output shape for an input of `shape`."""
        if self.kind == "dense":
            return (*shape[:-1], self.width)
        doubles = self.kind in ("up", "resize")
        resolutions = [2 * side if doubles else -(-side // self.strides) for side in shape[1:3]]
        return (shape[0], *resolutions, self.width)

    def _normalised_kernel(self) -> Tensor:
        matrix = self._matrix()
        if self.rule == "spectral":
            return ops.convert_to_tensor(self.free) / self._largest_singular_value(matrix)
        scale = ops.convert_to_tensor(self.length) / ops.sqrt(ops.sum(ops.square(matrix), axis=1) + TINY)
        return self.free * (scale[:, None] if self.kind == "up" else scale)

    def _weight(self, name: str, shape: tuple, *, initializer: str = "ones", trainable: bool = True) -> keras.Variable:
        """Add a weight in float32: norms are computed in float32 whatever the compute dtype."""
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable, autocast=False)

    def _matrix(self) -> Tensor:
        """The kernel `free` as a matrix (width, rest)."""
        kernel = ops.convert_to_tensor(self.free)
        if self.kind == "up":
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.transpose(ops.reshape(kernel, (-1, self.width)))

    def _largest_singular_value(self, matrix: Tensor) -> Tensor:
        left = ops.stop_gradient(ops.convert_to_tensor(self.left))
        right = ops.stop_gradient(_unit(ops.matmul(left, matrix)))
        return ops.sum(left * ops.matmul(matrix, right)) + TINY


def _unit(vector: Tensor) -> Tensor:
    return vector / (ops.sqrt(ops.sum(ops.square(vector))) + TINY)


@keras.saving.register_keras_serializable("ganmill")
class Blend(keras.layers.Layer):
    """Linear mixture of an old and a new tensor (Karras et al. 2018, figure 2); the step sets `fade`, from 0 to 1."""

    def build(self, shapes: list) -> None:
        """Create the weight `fade`."""
        self.fade = self.add_weight(name="fade", shape=(), initializer="ones", trainable=False, dtype="float32")

    def call(self, tensors: list[Tensor]) -> Tensor:
        """Mix [old, new], two tensors of one shape."""
        old, new = tensors
        share = keras.ops.cast(self.fade, new.dtype)
        return old + (new - old) * share


GROUP_SIZE = 4  # pictures over which the deviation is computed (Karras et al. 2018)


@keras.saving.register_keras_serializable("ganmill")
class MinibatchStddev(keras.layers.Layer):
    """Add a channel: the mean standard deviation over a group of pictures (Karras et al. 2018, section 3)."""

    def call(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C + 1). Pictures i, i + B/G, i + 2B/G, ... are a group of G."""
        batch = x.shape[0]
        if batch is None:  # while the graph is built, and if the batch size is unknown
            return self._append_deviation(x, 1)
        # A batch that no group size divides, such as 17 pictures, is one group: groups of one have no deviation
        group = next((group for group in range(GROUP_SIZE, 1, -1) if batch % group == 0), batch)
        return self._append_deviation(x, group)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The output shape for an input of `shape`."""
        return (*shape[:-1], shape[-1] + 1)

    def _append_deviation(self, x: Tensor, group: int) -> Tensor:
        _, height, width, channels = x.shape
        y = ops.cast(ops.reshape(x, (group, -1, height, width, channels)), "float32")
        variance = ops.mean(ops.square(y - ops.mean(y, axis=0, keepdims=True)), axis=0)
        deviation = ops.mean(ops.sqrt(variance + 1e-8), axis=(1, 2, 3))  # (B / G,)
        plane = ops.tile(ops.reshape(deviation, (-1, 1, 1, 1)), (group, height, width, 1))
        return ops.concatenate([x, ops.cast(plane, x.dtype)], axis=-1)


@keras.saving.register_keras_serializable("ganmill")
class MinibatchDiscrimination(keras.layers.Layer):
    """Minibatch discrimination: add features of the distances to the other pictures (Salimans et al. 2016, 3.2).

    `kernels` is the number of added features, `views` the dimension in which each measures distance.
    """

    def __init__(self, kernels: int = 16, views: int = 8, **common: Any) -> None:
        super().__init__(**common)
        self.kernels, self.views = kernels, views

    def build(self, shape: tuple) -> None:
        """Create the projection tensor (F, kernels * views)."""
        self.tensor = self.add_weight(name="tensor", shape=(shape[-1], self.kernels * self.views), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """(B, F) to (B, F + kernels)."""
        projected = ops.reshape(ops.matmul(x, ops.cast(self.tensor, x.dtype)), (-1, self.kernels, self.views))
        projected = ops.cast(projected, "float32")
        distance = ops.sum(ops.abs(projected[:, None] - projected[None]), axis=3)  # (B, B, kernels)
        nearness = ops.sum(ops.exp(-distance), axis=1) - 1.0  # without the picture itself
        return ops.concatenate([x, ops.cast(nearness, x.dtype)], axis=1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The output shape for an input of `shape`."""
        return (shape[0], shape[1] + self.kernels)

    def get_config(self) -> dict[str, Any]:
        """The arguments that create the same layer."""
        return {**super().get_config(), "kernels": self.kernels, "views": self.views}
