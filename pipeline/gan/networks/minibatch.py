"""What lets D see how alike the pictures of a batch are: the cure for a generator that draws one picture only."""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own
GROUP = 4  # pictures that are compared with one another (Karras et al. 2018)
ops = keras.ops


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
