"""Layers whose kernel is not free: spectral norm (Miyato et al. 2018) and weight norm (Salimans and Kingma 2016).

Unlike Keras' own `SpectralNormalization`, the free kernel is kept, the gradient runs through the norm, and calling the
layer changes nothing: the step asks for a turn of the power iteration when it wants one.
"""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own
FIRST_TURNS = 20  # of the power iteration when a layer is built
TINY = 1e-12
ops = keras.ops


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
