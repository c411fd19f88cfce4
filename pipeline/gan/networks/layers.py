"""Keras layers: fused batch norm, layer norm, spectral and weight norm, fade-in, minibatch statistics.

Batch norm is Keras' own with TensorFlow's fused kernel in training, three times faster on a CPU. Layer norm (Ba et al.
2016) can be differentiated twice. Spectral norm (Miyato et al. 2018) and weight norm (Salimans and Kingma 2016) keep
the free kernel, unlike Keras' own `SpectralNormalization`: the gradient runs through the norm, and calling the layer
changes nothing; the step asks for a power iteration. Minibatch layers let D see how alike the samples of a batch are
(Salimans et al. 2016; Karras et al. 2018).
"""

from typing import Any

from pipeline.devices import keras

Tensor = Any  # the backend's own


@keras.saving.register_keras_serializable("ganmill")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """`BatchNormalization` over (B, H, W, C); the same figures but for rounding. On JAX, Keras' own."""

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """(B, H, W, C), normalised over all but C; in training by the batch's own mean and variance."""
        if not training or keras.backend.backend() != "tensorflow":
            return keras.ops.cast(super().call(x, training=training), self.compute_dtype)
        import tensorflow as tf

        scale, offset = (keras.ops.convert_to_tensor(found, dtype="float32") for found in (self.gamma, self.beta))
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
        self._trail(self.moving_mean, mean)
        self._trail(self.moving_variance, variance * (count - 1.0) / count)  # the kernel's is the unbiased one
        return y

    def _trail(self, moving: keras.Variable, now: Tensor) -> None:
        moving.assign(moving * self.momentum + now * (1.0 - self.momentum))


PICTURE = (1, 2, 3)  # the axes of one
ops = keras.ops


@keras.saving.register_keras_serializable("ganmill")
class LayerNorm(keras.layers.GroupNormalization):
    """`GroupNormalization` of one group; the same figures but for rounding.

    Keras' own takes TensorFlow's moments, whose variance holds the mean still while it is differentiated. That is
    right once; a penalty on D's slope is differentiated a second time.
    """

    def add_weight(self, **options: Any) -> keras.Variable:
        """Scale and offset in float32, which Keras before 3.13 would round to what the layer computes in."""
        return super().add_weight(**options | {"autocast": False})

    def call(self, x: Tensor) -> Tensor:
        """(B, H, W, C), each picture normalised over all of it, then scaled and shifted channel by channel."""
        wide = ops.cast(x, "float32")
        apart = wide - ops.mean(wide, axis=PICTURE, keepdims=True)
        variance = ops.mean(ops.square(apart), axis=PICTURE, keepdims=True)
        return ops.cast(apart * ops.rsqrt(variance + self.epsilon) * self.gamma + self.beta, self.compute_dtype)


FIRST_TURNS = 20  # of the power iteration when a layer is built
TINY = 1e-12


@keras.saving.register_keras_serializable("ganmill")
class Bounded(keras.layers.Layer):
    """A convolution ('conv'), a transposed one ('up') or a product with a matrix ('dense'), its kernel under `rule`.

    'spectral': the kernel as a matrix, outputs apart, divided by its largest singular value. 'weight': each output's
    kernel has a learned length and a direction apart. A `gated` one is multiplied by a number that starts at 0.
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
        """Make the free kernel, and what its rule remembers beside it."""
        inputs, side = shape[-1], (self.kernel_size, self.kernel_size)
        shapes = {"conv": (*side, inputs, self.width), "up": (*side, self.width, inputs), "dense": (inputs, self.width)}
        self.free = self._weight("free", shapes[self.kind], initializer=self.kernel_initializer)
        if self.use_bias:
            self.bias = self._weight("bias", (self.width,), initializer="zeros")
        if self.rule == "spectral":
            self.left = self._weight("left", (self.width,), trainable=False)
        else:
            self.length = self._weight("length", (self.width,))
        if self.gated:
            self.gate = self._weight("gate", (), initializer="zeros")

    def settle(self) -> None:
        """Make what the rule remembers fit the free kernel, which has just been drawn."""
        if self.rule == "weight":
            self.length.assign(ops.sqrt(ops.sum(ops.square(self._matrix()), axis=1)))
        for _ in range(FIRST_TURNS):
            self.turn()

    @property
    def kernel(self) -> Tensor:
        """The kernel that is used, in the shape that Keras' own layer has."""
        return self._held() * self.gate if self.gated else self._held()

    def turn(self) -> None:
        """One turn of the power iteration towards the largest singular value's left vector."""
        if self.rule == "spectral":
            matrix = ops.stop_gradient(self._matrix())
            self.left.assign(_unit(ops.matmul(matrix, _unit(ops.matmul(self.left, matrix)))))

    def call(self, x: Tensor) -> Tensor:
        """As Keras' own layer of this kind, with the bounded kernel."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        if self.kind == "conv":
            x = ops.conv(x, kernel, strides=self.strides, padding="same")
        elif self.kind == "up":
            x = ops.conv_transpose(x, kernel, strides=self.strides, padding="same")
        else:
            x = ops.matmul(x, kernel)
        return x + ops.cast(self.bias, self.compute_dtype) if self.use_bias else x

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        names = ("kind", "width", "rule", "kernel_size", "strides", "use_bias", "kernel_initializer", "gated")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Of an input of `shape`."""
        if self.kind == "dense":
            return (*shape[:-1], self.width)
        sides = [side * self.strides if self.kind == "up" else -(-side // self.strides) for side in shape[1:3]]
        return (shape[0], *sides, self.width)

    def _held(self) -> Tensor:
        matrix = self._matrix()
        if self.rule == "spectral":
            return ops.convert_to_tensor(self.free) / self._largest(matrix)
        scale = ops.convert_to_tensor(self.length) / ops.sqrt(ops.sum(ops.square(matrix), axis=1) + TINY)
        return self.free * (scale[:, None] if self.kind == "up" else scale)

    def _weight(self, name: str, shape: tuple, *, initializer: str = "ones", trainable: bool = True) -> keras.Variable:
        """Norms are taken of float32, whatever the layer computes in."""
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable, autocast=False)

    def _matrix(self) -> Tensor:
        """The free kernel as (width, the rest)."""
        kernel = ops.convert_to_tensor(self.free)
        if self.kind == "up":
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.transpose(ops.reshape(kernel, (-1, self.width)))

    def _largest(self, matrix: Tensor) -> Tensor:
        left = ops.stop_gradient(ops.convert_to_tensor(self.left))
        right = ops.stop_gradient(_unit(ops.matmul(left, matrix)))
        return ops.sum(left * ops.matmul(matrix, right)) + TINY


def _unit(vector: Tensor) -> Tensor:
    return vector / (ops.sqrt(ops.sum(ops.square(vector))) + TINY)


@keras.saving.register_keras_serializable("ganmill")
class Blend(keras.layers.Layer):
    """`fade` of the new and the rest of the old (Karras et al. 2018, figure 2). The step sets `fade`, from 0 to 1."""

    def build(self, shapes: list) -> None:
        """Make the one number."""
        self.fade = self.add_weight(name="fade", shape=(), initializer="ones", trainable=False, dtype="float32")

    def call(self, tensors: list[Tensor]) -> Tensor:
        """From [old, new], of one shape, to the mixture."""
        old, new = tensors
        share = keras.ops.cast(self.fade, new.dtype)
        return old + (new - old) * share


GROUP = 4  # pictures that are compared with one another (Karras et al. 2018)


@keras.saving.register_keras_serializable("ganmill")
class MinibatchStddev(keras.layers.Layer):
    """Adds a channel: the mean standard deviation over a group of pictures (Karras et al. 2018, section 3)."""

    def call(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C + 1). Pictures i, i + B/G, i + 2B/G, ... are a group of G."""
        batch = x.shape[0]
        if batch is None:  # while the graph is built, and when the batch is not known
            return self._of(x, 1)
        # A batch that does not divide, as of seventeen pictures, is one group: each alone would show nothing
        return self._of(x, next((group for group in range(GROUP, 1, -1) if batch % group == 0), batch))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Of an input of `shape`."""
        return (*shape[:-1], shape[-1] + 1)

    def _of(self, x: Tensor, group: int) -> Tensor:
        _, height, width, channels = x.shape
        y = ops.cast(ops.reshape(x, (group, -1, height, width, channels)), "float32")
        variance = ops.mean(ops.square(y - ops.mean(y, axis=0, keepdims=True)), axis=0)
        spread = ops.mean(ops.sqrt(variance + 1e-8), axis=(1, 2, 3))  # (B / G,)
        plane = ops.tile(ops.reshape(spread, (-1, 1, 1, 1)), (group, height, width, 1))
        return ops.concatenate([x, ops.cast(plane, x.dtype)], axis=-1)


@keras.saving.register_keras_serializable("ganmill")
class MinibatchDiscrimination(keras.layers.Layer):
    """Adds features: how near each picture is to the others in `kernels` learned views (Salimans et al. 2016, 3.2)."""

    def __init__(self, kernels: int = 16, views: int = 8, **common: Any) -> None:
        super().__init__(**common)
        self.kernels, self.views = kernels, views

    def build(self, shape: tuple) -> None:
        """Make the tensor that features are seen through."""
        self.tensor = self.add_weight(name="tensor", shape=(shape[-1], self.kernels * self.views), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """(B, F) to (B, F + kernels)."""
        seen = ops.reshape(ops.matmul(x, ops.cast(self.tensor, x.dtype)), (-1, self.kernels, self.views))
        seen = ops.cast(seen, "float32")
        distance = ops.sum(ops.abs(seen[:, None] - seen[None]), axis=3)  # (B, B, kernels)
        nearness = ops.sum(ops.exp(-distance), axis=1) - 1.0  # without the picture itself
        return ops.concatenate([x, ops.cast(nearness, x.dtype)], axis=1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Of an input of `shape`."""
        return (shape[0], shape[1] + self.kernels)

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return {**super().get_config(), "kernels": self.kernels, "views": self.views}
