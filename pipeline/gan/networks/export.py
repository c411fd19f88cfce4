"""Export networks as .keras files that Keras alone can load, and read them back.

Spectral and weight norm are folded into the kernels. Only the last stage of a growing network is written, and of a
multi-scale one the network for pictures at full size.
"""

from pathlib import Path
from typing import Any

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.filter.keras_files import load_keras_weights, read_config, weights_size
from pipeline.gan.config import Definition
from pipeline.gan.config.resolutions import LARGEST_SIDE, check_weight_bytes
from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.networks.discriminator import build_discriminator
from pipeline.gan.networks.generator import build_generator
from pipeline.gan.networks.layers import Bounded
from pipeline.gan.validation import check_shape
from pipeline.store.npz import ForeignFile

GENERATOR, DISCRIMINATOR = "generator.keras", "discriminator.keras"
MAX_LEVELS = LARGEST_SIDE.bit_length()


def write_networks(
    definition: Definition, folder: Path, *, generator: GrowingNetwork, discriminator: GrowingNetwork
) -> None:
    """Write generator.keras and discriminator.keras, at full size, into `folder`."""
    to_keras_only_generator(definition, generator).save(folder / GENERATOR)
    to_keras_only_discriminator(definition, discriminator).save(folder / DISCRIMINATOR)


def read_generator(path: Path, definition: Definition, *, classes: int = 0) -> keras.Model:
    """Build the generator of `definition`, with so many `classes`, and load its weights from the .keras file `path` of
    `write_networks`.

    Reads only the weights and the picture size from the file: nothing that the file describes is built or run.
    Errors: `DamagedFile`; `ForeignFile` if the file is of another network, or holds NaN.
    """
    size, channels = _image_shape(read_config(path))
    check_weight_bytes(definition, {"generator": weights_size(path)}, size=size, channels=channels)
    shape: dict[str, Any] = {"size": size, "channels": channels, "classes": classes}
    network = build_generator(definition, **shape, seed=0, keras_only=True).whole
    load_keras_weights(network, path)
    return network


def _image_shape(config: Any) -> tuple[int, int]:
    """The side and channels of a generator's samples, from its Keras `config`. Errors: `ForeignFile`."""
    try:
        layers = {layer["name"]: layer["config"] for layer in config["config"]["layers"]}
        coarsest = layers["square"]["target_shape"][0]
        # The last layer doubles the side; that of a multi-scale generator, called head, keeps it
        level, last = max((level, f"{kind}_{level}") for level in range(MAX_LEVELS) for kind in ("image", "head")
                          if f"{kind}_{level}" in layers)  # fmt: skip
        side = coarsest << level + last.startswith("image")
        _, _, channels = check_shape((side, side, layers[last]["filters"]))
    except (LookupError, TypeError, ValueError, UserError):
        raise ForeignFile("is not a generator that ganmill saved") from None
    return side, channels


def to_keras_only_generator(definition: Definition, generator: GrowingNetwork) -> keras.Model:
    """A copy of the full-size generator in float32, of Keras' own layers."""
    _, size, _, channels = generator.whole.output_shape
    shape: dict[str, Any] = {
        "size": size,
        "channels": channels,
        "classes": generator.whole.input_shape[1] - definition.latent,
    }
    exported = build_generator(definition, **shape, seed=0, keras_only=True)
    _copy_weights(exported.whole, generator)
    return exported.whole


def to_keras_only_discriminator(definition: Definition, discriminator: GrowingNetwork) -> keras.Model:
    """A copy of the full-size discriminator in float32 with logits (B, 1) as its only output.

    Its minibatch layers, if any, are not Keras' own: `import pipeline.gan.networks` registers them.
    """
    _, size, _, channels = discriminator.whole.input_shape
    exported = build_discriminator(definition, size=size, channels=channels, seed=0, keras_only=True).whole
    _copy_weights(exported, discriminator)
    return keras.Model(exported.input, exported.outputs[0], name="discriminator")


def _copy_weights(exported: keras.Model, source: GrowingNetwork) -> None:
    """Copy the weights of `source` to the layers of `exported` that have the same names."""
    for layer in exported.layers:
        if (existing := source.layers.get(layer.name)) is not None:
            layer.set_weights(_weights(existing))


def _weights(layer: keras.layers.Layer) -> list:
    """The weights of `layer` as Keras' own layer of its kind has them."""
    if not isinstance(layer, Bounded):
        return layer.get_weights()
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    return [kernel, keras.ops.convert_to_numpy(layer.bias)] if layer.use_bias else [kernel]
