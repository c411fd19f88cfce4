"""How the discriminator judges a picture together with its class: projection (Miyato and Koyama 2018).

The discriminator itself takes pictures alone. The head adds the scalar product of its features with a vector that is
learned for each class, so that the sum is the logit of picture and class.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.devices import keras
from pipeline.gan.config import Definition
from pipeline.gan.networks.builder import LayerFactory, LayerOwner

Tensor = Any  # a tensor of the backend
ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class ClassHead(LayerOwner):
    """Gives what the logit of a picture has in addition, because of its class."""

    embedding: keras.Model  # (B, classes) one-hot to (B, F)

    def logit(self, features: Tensor, classes: Tensor) -> Tensor:
        """The addition (B, 1) to the logits of pictures with these `features` (B, F); `classes` (B, K) are one-hot."""
        vectors = ops.cast(self.embedding(classes, training=True), "float32")
        return ops.sum(vectors * ops.cast(features, "float32"), axis=1, keepdims=True)


def build_class_head(definition: Definition, *, features: int, classes: int, seed: int) -> ClassHead:
    """Build the head for a discriminator with so many `features`."""
    layers = LayerFactory(definition.discriminator, role="classes", seed=seed, dtype="float32")
    one_hot = keras.Input((classes,), name="class")
    embedded = layers.dense(one_hot, features, bias=False, gain=1.0, name="embedding")
    return ClassHead(layers=layers, embedding=keras.Model(one_hot, embedded, name="classes"))
