"""Networks as files that Keras alone can load: spectral and weight norm folded into kernels, no stage but the last."""

from pathlib import Path
from typing import Any

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.filter.keras_files import load_keras_weights, read_config, weights_size
from pipeline.gan.config.__init__ import Definition
from pipeline.gan.config.resolutions import LARGEST_SIDE, check_extent
from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator
from pipeline.gan.networks.layers import Bounded
from pipeline.gan.validation import check_shape
from pipeline.store.npz import Foreign

GENERATOR, DISCRIMINATOR = "generator.keras", "discriminator.keras"
MOST_LEVELS = LARGEST_SIDE.bit_length()


def write_networks(
    definition: Definition, folder: Path, *, generator: GrowingNetwork, discriminator: GrowingNetwork
) -> None:
    """Leave both networks in `folder`, finished, as Keras loads them."""
    plain_generator(definition, generator).save(folder / GENERATOR)
    plain_discriminator(definition, discriminator).save(folder / DISCRIMINATOR)


def read_generator(path: Path, definition: Definition) -> keras.Model:
    """The generator of `definition` with the weights that `write_networks` left in the .keras file `path`.

    Of the file only the numbers are read, and the side of the pictures: nothing that it describes is built or run.
    Errors: `Damaged`; `Foreign` if it is of another network, or holds NaN.
    """
    size, channels = _picture(read_config(path))
    check_extent(definition, {"generator": weights_size(path)}, size=size, channels=channels)
    network = build_generator(definition, size=size, channels=channels, seed=0, plain=True).whole
    load_keras_weights(network, path)
    return network


def _picture(config: Any) -> tuple[int, int]:
    """Side and channels of what a generator draws whose layers `config` names. Errors: `Foreign`."""
    try:
        layers = {layer["name"]: layer["config"] for layer in config["config"]["layers"]}
        coarsest = layers["square"]["target_shape"][0]
        level = max(level for level in range(MOST_LEVELS) if f"image_{level}" in layers)
        side = 2 * coarsest << level
        _, _, channels = check_shape((side, side, layers[f"image_{level}"]["filters"]))
    except (LookupError, TypeError, ValueError, UserError):
        raise Foreign("holds no generator that was saved here") from None
    return side, channels


def plain_generator(definition: Definition, generator: GrowingNetwork) -> keras.Model:
    """The finished generator of `definition`, in float32, of layers that Keras has itself."""
    _, size, _, channels = generator.whole.output_shape
    plain = build_generator(definition, size=size, channels=channels, seed=0, plain=True)
    _fill(plain.whole, generator)
    return plain.whole


def plain_discriminator(definition: Definition, discriminator: GrowingNetwork) -> keras.Model:
    """The finished discriminator, in float32, with its logits alone. Its minibatch layers, if it has any, are this
    project's own: `import pipeline.gan.networks` makes them known to Keras."""
    _, size, _, channels = discriminator.whole.input_shape
    plain = build_discriminator(definition, size=size, channels=channels, seed=0, plain=True).whole
    _fill(plain, discriminator)
    return keras.Model(plain.input, plain.outputs[0], name="discriminator")


def _fill(plain: keras.Model, source: GrowingNetwork) -> None:
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
