"""Build the network that compares pictures, as a Keras model from a picture of any size to the maps of some layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import efficientnet
from pipeline.devices import keras
from pipeline.filter.backbone import load_network
from pipeline.pretrained import AUTO, SHIPPED_SHA256, Weights
from pipeline.store.torch_file import read_arrays
from pipeline.style.style_networks import NETWORKS, OPTION, PUBLISHED, VGG_BLOCKS, StyleNetwork

READING_SIDE = 64  # pixels of the model into which a file is read; its weights fit pictures of every size
VGG_MEANS = (103.939, 116.779, 123.68)  # of ImageNet in grey levels: blue, green, red, as VGG was trained
POOLING = {"average": "AveragePooling2D", "max": "MaxPooling2D"}


@dataclass(frozen=True, kw_only=True, eq=False)  # two are the same if they are one object
class FeatureNetwork:
    """A network with its weights. `model` maps a batch of pictures, as `prepare` gives them, to the maps of all layers.

    `prepare` takes a tensor of pictures (N, H, W, 3) in [0, 1], red first.
    """

    known: StyleNetwork
    digest: str
    model: keras.Model
    prepare: Callable[[Any], Any]

    def maps(self, layers: Sequence[str]) -> Callable[[Any], list[Any]]:
        """A function from one picture (H, W, 3) in [0, 1] to the maps (h, w, N) of `layers`, in their order."""
        outputs = [self.model.get_layer(name).output for name in layers]
        model = keras.Model(self.model.input, outputs)

        def compute(picture: Any) -> list[Any]:
            found = model(self.prepare(picture[None]), training=False)
            return [each[0] for each in (found if isinstance(found, list | tuple) else [found])]

        return compute


def build_network(weights: Weights, *, pooling: str = "average") -> FeatureNetwork:
    """Build the network that `weights` belong to, and load them. Errors: `UserError` if they are of something else."""
    if weights.digest == SHIPPED_SHA256:
        model = embedded_model(read_arrays(weights.path, sha256=weights.digest))
        return FeatureNetwork(
            known=NETWORKS[weights.name], digest=weights.digest, model=model, prepare=prepare_embedded
        )
    sides = dict.fromkeys(PUBLISHED, READING_SIDE)
    name, read = load_network(weights, sides, option=OPTION, alternative=AUTO)
    model = vgg19(pooling) if name == "VGG19" else mobilenet()
    model.set_weights(read.get_weights())
    prepare = prepare_vgg if name == "VGG19" else prepare_mobilenet
    return FeatureNetwork(known=NETWORKS[name], digest=weights.digest, model=model, prepare=prepare)


def vgg19(pooling: str) -> keras.Model:
    """VGG19 without its top (Simonyan and Zisserman 2015), for pictures of any size, with random weights.

    `pooling` is average or max; with average the paper found more even gradients.
    """
    maps = inputs = keras.Input((None, None, 3))
    for block, count in VGG_BLOCKS.items():
        for number in range(1, count + 1):
            layer = keras.layers.Conv2D(
                64 * 2 ** min(block - 1, 3), 3, padding="same", activation="relu", name=f"block{block}_conv{number}"
            )
            maps = layer(maps)
        maps = getattr(keras.layers, POOLING[pooling])(2, 2, name=f"block{block}_pool")(maps)
    return keras.Model(inputs, maps)


def mobilenet() -> keras.Model:
    """MobileNet without its top (Howard et al. 2017), for pictures of any size, with random weights."""
    return keras.applications.MobileNet(weights=None, include_top=False, input_shape=(None, None, 3))


def embedded_model(arrays: efficientnet.Arrays) -> keras.Model:
    """EfficientNet-Lite0 up to the last block that is embedded, with the layers `stem` and `block0` to `block10`."""
    inputs = keras.Input((None, None, 3))
    names = NETWORKS["EfficientNetLite0"].layers
    outputs = [
        keras.layers.Activation("linear", name=name)(maps)  # gives the maps a name
        for name, maps in zip(names, efficientnet.maps_of(inputs, arrays), strict=True)
    ]
    return keras.Model(inputs, outputs)


def prepare_vgg(pictures: Any) -> Any:
    """Pictures (N, H, W, 3) in [0, 1] as VGG19 expects them: grey levels, blue first, minus the means of ImageNet."""
    return 255.0 * pictures[..., ::-1] - keras.ops.convert_to_tensor(VGG_MEANS, dtype="float32")


def prepare_mobilenet(pictures: Any) -> Any:
    """Pictures (N, H, W, 3) in [0, 1] as MobileNet expects them, in [-1, 1]."""
    return 2.0 * pictures - 1.0


def prepare_embedded(pictures: Any) -> Any:
    """Pictures (N, H, W, 3) in [0, 1] as EfficientNet-Lite0 expects them."""
    return efficientnet.prepare(255.0 * pictures)
