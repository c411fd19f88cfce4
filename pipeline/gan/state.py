"""Everything that training changes, and nothing else: what a checkpoint holds is what the next step depends on."""

from collections.abc import Iterator

import numpy as np

from pipeline.gan.definition import Adam, Definition
from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.runtime import keras


class TrainState:
    """Both networks with their batch norm statistics, both optimizers with their counters, and the averaged generator.

    `average` is a generator whose weights, batch norm statistics included, trail those of `generator`.
    """

    def __init__(self, definition: Definition, *, size: int, channels: int, seed: int) -> None:
        built = {"size": size, "channels": channels, "seed": seed}
        self.generator = build_generator(definition, **built)
        self.discriminator = build_discriminator(definition, **built)
        self.average = build_generator(definition, **built)
        self.generator_optimizer = _adam(definition.generator.optimizer, self.generator)
        self.discriminator_optimizer = _adam(definition.discriminator.optimizer, self.discriminator)

    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of every number, by part and place: `generator/003`."""
        return {name: np.array(np.asarray(variable.value)) for name, variable in self._variables()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Set every number to what `arrays()` gave. Errors: KeyError or ValueError when they are of another network."""
        for name, variable in self._variables():
            variable.assign(arrays[name])

    def _variables(self) -> Iterator[tuple[str, keras.Variable]]:
        for part, owner in vars(self).items():
            for index, variable in enumerate(owner.variables):
                yield f"{part}/{index:03d}", variable


def _adam(options: Adam, network: keras.Model) -> keras.optimizers.Optimizer:
    adam = keras.optimizers.Adam(options.learning_rate, beta_1=options.beta_1, beta_2=options.beta_2)
    adam.build(network.trainable_variables)
    return adam
