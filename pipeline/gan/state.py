"""Everything that training changes, and nothing else: what a checkpoint holds is what the next step depends on."""

from collections.abc import Iterator

import numpy as np

from pipeline.filter.npz import Form, Forms
from pipeline.gan.definition import Definition
from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.optimizers import make_optimizer
from pipeline.gan.runtime import keras


class TrainState:
    """Both networks with their batch norm statistics, both optimizers with their counters, and the averaged generator.

    `average` is a generator whose weights, batch norm statistics included, trail those of `generator`; `strength` is
    the probability that augmentation has come to.
    """

    def __init__(self, definition: Definition, *, size: int, channels: int, seed: int, dtype: str = "float32") -> None:
        built = {"size": size, "channels": channels, "seed": seed}
        self.definition = definition
        self.generator = build_generator(definition, **built, dtype=dtype)
        self.discriminator = build_discriminator(definition, **built, dtype=dtype)
        self.average = build_generator(definition, **built)
        self.generator_optimizer = make_optimizer(definition.generator.optimizer, self.generator.trainable_variables)
        self.discriminator_optimizer = make_optimizer(
            definition.discriminator.optimizer, self.discriminator.trainable_variables
        )
        augment = definition.augment
        self.strength = keras.Variable(0.0 if augment.target else augment.probability, dtype="float32", trainable=False)

    @property
    def variables(self) -> list[keras.Variable]:
        """All of them, in a fixed order."""
        return [variable for _, variable in self._named()]

    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of every number, by part and place: `generator/003`."""
        return {name: np.array(keras.ops.convert_to_numpy(variable.value)) for name, variable in self._named()}

    def forms(self) -> Forms:
        """What `arrays()` gives, and so what `restore` takes. The backends count steps in integers of different
        widths."""
        return {name: Form(_types(variable), tuple(variable.shape)) for name, variable in self._named()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Set every number to what `arrays()` gave."""
        for name, variable in self._named():
            variable.assign(arrays[name])

    def restore_average(self, arrays: dict[str, np.ndarray]) -> None:
        """Set the averaged generator alone, from arrays named as those of `arrays()`."""
        for place, variable in enumerate(self.average.variables):
            variable.assign(arrays[f"average/{place:03d}"])

    def _named(self) -> Iterator[tuple[str, keras.Variable]]:
        for part, owner in vars(self).items():
            if part == "strength":
                yield part, owner
            elif part != "definition":
                for index, variable in enumerate(owner.variables):
                    yield f"{part}/{index:03d}", variable


def _types(variable: keras.Variable) -> tuple[str, ...]:
    name = keras.backend.standardize_dtype(variable.dtype)
    return ("int32", "int64") if name in ("int32", "int64") else (name,)
