"""Where a new side of a growing network fades in."""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own


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
