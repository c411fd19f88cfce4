"""Layer norm over side and channels (Ba et al. 2016), which may be differentiated twice."""

from typing import Any

from pipeline.gan.runtime import keras

Tensor = Any  # the backend's own
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
