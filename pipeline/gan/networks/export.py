"""Networks as files that Keras alone can load: spectral and weight norm folded into kernels, no stage but the last."""

from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.gan.checkpoint import DAMAGE
from pipeline.gan.definition import Definition
from pipeline.gan.networks.bounded import Bounded
from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator
from pipeline.gan.networks.staged import Staged
from pipeline.gan.runtime import keras

GENERATOR, DISCRIMINATOR = "generator.keras", "discriminator.keras"


def write_networks(definition: Definition, folder: Path, *, generator: Staged, discriminator: Staged) -> None:
    """Leave both networks in `folder`, finished, as Keras loads them."""
    plain_generator(definition, generator).save(folder / GENERATOR)
    plain_discriminator(definition, discriminator).save(folder / DISCRIMINATOR)


def read_generator(folder: Path) -> keras.Model:
    """The generator that `write_networks` left in `folder`; `DamagedState` if it is not what was written."""
    path = folder / GENERATOR
    try:
        return keras.models.load_model(path, compile=False)
    except DAMAGE:
        state = "is not what was written" if path.exists() else "is missing"
        raise DamagedState(f"{path} {state}; `python -m tasks rerun gan` makes it again") from None


def plain_generator(definition: Definition, generator: Staged) -> keras.Model:
    """The finished generator of `definition`, in float32, of layers that Keras has itself."""
    _, size, _, channels = generator.whole.output_shape
    plain = build_generator(definition, size=size, channels=channels, seed=0, plain=True)
    _fill(plain.whole, generator)
    return plain.whole


def plain_discriminator(definition: Definition, discriminator: Staged) -> keras.Model:
    """The finished discriminator, in float32, with its logits alone. Its minibatch layers, if it has any, are this
    project's own: `import pipeline.gan.networks` makes them known to Keras."""
    _, size, _, channels = discriminator.whole.input_shape
    plain = build_discriminator(definition, size=size, channels=channels, seed=0, plain=True).whole
    _fill(plain, discriminator)
    return keras.Model(plain.input, plain.outputs[0], name="discriminator")


def _fill(plain: keras.Model, source: Staged) -> None:
    """Give the layers of `plain` the weights of those of the same names."""
    for layer in plain.layers:
        if (known := source.layers.known(layer.name)) is not None:
            layer.set_weights(_weights(known))


def _weights(layer: keras.layers.Layer) -> list:
    """As Keras' own layer of this name has them."""
    if not isinstance(layer, Bounded):
        return layer.get_weights()
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    return [kernel, keras.ops.convert_to_numpy(layer.bias)] if layer.use_bias else [kernel]
