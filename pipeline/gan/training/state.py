"""All that training changes: networks, optimizers, averaged generator, strength of augmentation, means of D's logits.

A checkpoint holds these variables and no others. Adam uses TensorFlow's fused kernel, which is twice as fast.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.devices import keras
from pipeline.gan.config import Definition, Optimizer
from pipeline.gan.config.resolutions import NETWORKS
from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.networks.class_head import build_class_head
from pipeline.gan.networks.decoder import build_decoders
from pipeline.gan.networks.vision_aid import build_vision_aid
from pipeline.store.npz import ArrayForm, ArrayForms


class TrainState:
    """Both networks with their batch norm statistics, both optimizers with their counters, and the averaged generator.

    `average` is a generator whose weights and batch norm statistics follow those of `generator` as a moving average.
    `class_head` judges the class of a picture; None without classes. `vision_aid` judges by a frozen network; None
    unless the discriminator is vision-aided.
    `decoders` reconstruct reals from feature maps of the discriminator; None without `reconstruction`. `strength` is
    the current probability of augmentation, `logit_means` are the running means of D's logits on reals and fakes, None
    without LeCam.
    """

    def __init__(
        self, definition: Definition, *, size: int, channels: int, seed: int, classes: int = 0, dtype: str = "float32"
    ) -> None:
        built: dict[str, Any] = {"size": size, "channels": channels, "seed": seed}
        self.definition, self.classes = definition, classes
        self.generator = build_generator(definition, **built, classes=classes, dtype=dtype)
        self.discriminator = build_discriminator(definition, **built, dtype=dtype)
        self.average = build_generator(definition, **built, classes=classes)
        features = self.discriminator.whole.outputs[1].shape[-1]
        self.class_head = (
            build_class_head(definition, features=features, classes=classes, seed=seed) if classes else None
        )
        self.vision_aid = (
            build_vision_aid(definition, size=size, seed=seed) if definition.discriminator.vision_aided else None
        )
        decodes = definition.discriminator.reconstruction > 0
        self.decoders = build_decoders(definition, **built, dtype=dtype) if decodes else None
        self.generator_optimizer = make_optimizer(definition.generator.optimizer, self.generator.trainable_variables)
        self.discriminator_optimizer = make_optimizer(
            definition.discriminator.optimizer, self.trained_with_discriminator
        )
        augment = definition.augment
        self.strength = keras.Variable(0.0 if augment.target else augment.probability, dtype="float32", trainable=False)
        lecam = definition.penalties.lecam.weight
        self.logit_means = keras.Variable(np.zeros(2), dtype="float32", trainable=False) if lecam else None

    @property
    def trained_with_discriminator(self) -> list[keras.Variable]:
        """The variables that the discriminator's optimizer updates: its own, of class head, aid and decoders."""
        parts = (self.discriminator, self.class_head, self.vision_aid, self.decoders)
        return [variable for part in parts if part for variable in part.trainable_variables]

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables in a fixed order."""
        return [variable for _, variable in self._named()]

    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of every variable, named by part and index: `generator/003`."""
        return {name: np.array(keras.ops.convert_to_numpy(variable.value)) for name, variable in self._named()}

    def forms(self) -> ArrayForms:
        """The forms of the arrays of `arrays()`, which `restore` requires.

        Step counters may be int32 or int64, as the backends differ.
        """
        return {name: ArrayForm(_types(variable), tuple(variable.shape)) for name, variable in self._named()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Set every variable from the arrays of `arrays()`."""
        for name, variable in self._named():
            variable.assign(arrays[name])

    def restore_networks(self, arrays: dict[str, np.ndarray]) -> bool:
        """Set generator, averaged generator, discriminator and class head alone, from arrays named as in `arrays()`;
        returns false, and sets nothing, if they are not of the form of these networks. The heads of an aid are set too
        if there are such arrays."""
        aid = ("vision_aid",) if self.vision_aid and "vision_aid/000" in arrays else ()
        parts = tuple(f"{name}/" for name in (*NETWORKS, "class_head", *aid))
        here = {name: variable for name, variable in self._named() if name.startswith(parts)}
        there = {name: array for name, array in arrays.items() if name.startswith(parts)}
        if {name: tuple(each.shape) for name, each in here.items()} != {name: a.shape for name, a in there.items()}:
            return False
        for name, variable in here.items():
            variable.assign(there[name])
        return True

    def restore_average(self, arrays: dict[str, np.ndarray]) -> None:
        """Set the averaged generator alone, from arrays named as in `arrays()`."""
        for index, variable in enumerate(self.average.variables):
            variable.assign(arrays[f"average/{index:03d}"])

    def _named(self) -> Iterator[tuple[str, keras.Variable]]:
        for part, owner in vars(self).items():
            if isinstance(owner, keras.Variable):
                yield part, owner
            elif owner is not None and part not in ("definition", "classes"):
                for index, variable in enumerate(owner.variables):
                    yield f"{part}/{index:03d}", variable


def _types(variable: keras.Variable) -> tuple[str, ...]:
    name = keras.backend.standardize_dtype(variable.dtype)
    return ("int32", "int64") if name in ("int32", "int64") else (name,)


Tensor = Any  # a tensor of the backend


def make_optimizer(options: Optimizer, variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """Build the optimizer that `options` describes for `variables`."""
    rate = options.learning_rate
    if options.name == "adam":
        kind = FusedAdam if keras.backend.backend() == "tensorflow" else keras.optimizers.Adam
        made = kind(rate, beta_1=options.beta_1, beta_2=options.beta_2)
    elif options.name == "rmsprop":
        made = keras.optimizers.RMSprop(rate, rho=options.beta_2)
    else:
        made = keras.optimizers.SGD(rate, momentum=options.beta_1)
    made.build(variables)
    return made


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with one kernel instead of a dozen for each variable; the results are the same up to rounding."""

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """Update `variable` and its two moments."""
        import tensorflow as tf

        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )


def _handle(variable: Any) -> Tensor:
    """The resource handle of a variable for a TensorFlow kernel; Keras passes its own variables and TensorFlow's."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
