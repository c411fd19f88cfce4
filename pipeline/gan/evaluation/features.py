"""Which features the scores are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.filter.backbone import network_of, preprocessing
from pipeline.filter.classifier_io import embed, extractor_name, has_backbone
from pipeline.filter.features import SIDE, histograms
from pipeline.images.raster import squares
from pipeline.pretrained import AUTO, Weights, bring, find_weights, identify, strange

# Pixels a side that the networks see. MobileNet's are those that the filter's backbone sees; at 224 it tells pictures
# apart no better
SIDES = {"MobileNet": 192, "InceptionV3": 299}
BATCH = 8  # pictures at once, always full: what a picture's features are must not depend on the others


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """A way from images (N, S, S, C) uint8, C 1 or 3, to features (N, D) float32.

    The name holds the network, the side of what it sees, and the start of its weights' digest. Scores under different
    names cannot be compared. `pretrained` ones have learned from other pictures than those they are to judge.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    pretrained: bool = False


def choose_extractor(wanted: str, classifier: Path | None) -> FeatureExtractor:
    """The extractor that the option `wanted` means; `classifier` is the finished folder of that stage, if there is one.

    'auto' is what the classifier sees; without one, MobileNet if its weights are cached, else histograms, which need
    no training. 'own' is the classifier or histograms whatever is cached. 'MobileNet' and 'Inception' are networks
    with weights that Keras publishes (ImageNet), fetched if need be; a path is a file of weights of either. A KID on
    Keras' Inception is not the published ones', which are on the weights of 2015, and no figure here is an FID.
    Errors: `UserError` for a name that is not known, weights that cannot be fetched, a file of something else.
    """
    if not isinstance(wanted, str | Path):
        raise UserError(f"extractor = {wanted!r}: expected a name or a file of weights, for example 'auto'")
    bring(wanted)
    if weights := find_weights(wanted, classifier=classifier is not None):
        return _pretrained(weights)
    if classifier is None:
        return FeatureExtractor(name=f"histograms-{SIDE}", features=lambda images: histograms(squares(images, SIDE)))
    see, name = (lambda images: embed(classifier, images)), extractor_name(classifier)
    return FeatureExtractor(name=name, features=see, pretrained=has_backbone(classifier))


def enlarge(images: np.ndarray, side: int) -> np.ndarray:
    """`images` (N, H, W, C) uint8, C 1 or 3, as (N, side, side, 3) float32 in [0, 255]: bicubic and, where they shrink,
    antialiased, as Parmar et al. 2022 ("On aliased resizing") find scores to need."""
    found = np.empty((len(images), side, side, 3), np.float32)
    for place, image in enumerate(np.broadcast_to(images, (*images.shape[:3], 3))):
        found[place] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    return found


def _pretrained(weights: Weights) -> FeatureExtractor:
    """The last layer of the network of `weights`, averaged over the picture: 1,024 features of MobileNet, 2,048 of
    Inception."""
    name, network = _load(weights)
    pooled = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(network.output))
    see = _Eyes(pooled, prepare=preprocessing(name), side=SIDES[name])
    return FeatureExtractor(name=f"{name.lower()}-{SIDES[name]}-{weights.digest[:8]}", features=see, pretrained=True)


def _load(weights: Weights) -> tuple[str, keras.Model]:
    """The name and the network of `weights`: the named one, or the one that the file fits."""
    told = {"asked": "extractor", "instead": AUTO}
    name = identify(weights, SIDES, **told)
    if network := network_of(name, weights.path, side=SIDES[name]):
        return name, network
    raise strange(weights, [name], "has other layers", **told)


class _Eyes:
    """A network as a function of pictures."""

    def __init__(self, network: keras.Model, *, prepare: Callable, side: int) -> None:
        self.network, self.prepare, self.side = network, prepare, side

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.concatenate([self._batch(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])

    def _batch(self, images: np.ndarray) -> np.ndarray:
        batch = np.zeros((BATCH, self.side, self.side, 3), np.float32)
        batch[: len(images)] = enlarge(images, self.side)
        return self.network.predict_on_batch(self.prepare(batch))[: len(images)]
