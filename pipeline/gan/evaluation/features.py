"""Feature extractors for the scores: a pretrained network, or textures, which need no weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import efficientnet
from pipeline.devices import backend, has_gpu, keras
from pipeline.efficientnet import LITE0
from pipeline.errors import UserError
from pipeline.filter.backbone import SIDE as BACKBONE_SIDE
from pipeline.filter.backbone import Backbone, load_network, preprocessing
from pipeline.filter.classifier_io import load_backbone
from pipeline.gan.evaluation import dinov2
from pipeline.gan.evaluation.textures import SIDE, textures
from pipeline.lite_network import BATCH as LITE_BATCH
from pipeline.lite_network import convert
from pipeline.pretrained import AUTO, SHIPPED_SHA256, Weights, fetch_extractor, find_extractor, uses_backbone
from pipeline.store.digest import of_bytes
from pipeline.store.npz import UnusableFile
from pipeline.store.torch_file import read_arrays

# Side in pixels of the networks' input. MobileNet's is that of the filter's backbone; 224 separates pictures no better
SIDES = {"MobileNet": 192, "InceptionV3": 299}
DEPTHWISE = {"MobileNet"}  # TensorFlow Lite computes depthwise convolutions fast on a CPU, and others slower than Keras
SHIPPED_SIDE = 128  # of the input of EfficientNet-Lite0; at 160 the rank of blurred photographs is worse
ENERGY = 2.0  # mean square of a feature of a usual picture, for the cubic kernel of the KID
BATCH = 32  # always full, so that the features of a picture do not depend on the number of others


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """A function from images (N, S, S, C) uint8, C 1 or 3, to features (N, D) float32, with a name.

    The name holds the network, the side of its input, and the start of its weights' digest. Scores under different
    names cannot be compared. A `pretrained` extractor has learned from other pictures than those that it scores.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    pretrained: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    """Means of the maps after a block of EfficientNet-Lite0 as features, as they are or normalised by their statistics.

    Features of later blocks take noise for pictures when small pictures are enlarged. The means of block 10 measure
    shape and blur; those of block 5 tell grey noise from colour pictures. `scale` is their root mean square over
    photographs, drawings and clothes of 28 to 64 px; `weight` says how much they count. docs/benchmarks.md says which
    sets of pictures took part in the choice of the weights.
    """

    block: int
    normalised: bool
    scale: float
    weight: float


GROUPS = (
    Group(block=10, normalised=False, scale=2.802, weight=1),
    Group(block=5, normalised=True, scale=0.528, weight=0.5),
)
TEXTURES = FeatureExtractor(name=f"textures-{SIDE}", features=textures)


def choose_extractor(extractor: str, classifier: Path | None) -> FeatureExtractor:
    """The extractor that the option `extractor` names; `classifier` is that stage's finished folder, if there is one.

    'auto' is the classifier's backbone, without one EfficientNet-Lite0, whose weights a package ships, and without that
    package textures, which need no weights. 'own' is the backbone or textures. The small networks of a classifier
    without a backbone are not used: they have learned a few labels, not how pictures look. 'MobileNet' and 'Inception'
    are networks with the weights that Keras publishes (ImageNet), downloaded if necessary; a path is a file of weights
    of either, or of DINOv2 (see `dinov2`). A KID on Keras' Inception differs from published ones, which use the weights
    of 2015, and no score here is an FID.

    Errors: `UserError` for an unknown name, for weights that cannot be downloaded, and for a file of something else.
    """
    if not isinstance(extractor, str | Path):
        raise UserError(f"extractor = {extractor!r}: expected a name or a file of weights, for example 'auto'")
    fetch_extractor(extractor)
    if classifier and uses_backbone(extractor) and (backbone := load_backbone(classifier)):
        return _backbone(backbone)
    weights = find_extractor(extractor)
    if not weights:
        return TEXTURES
    return _efficientnet(weights) if weights.digest == SHIPPED_SHA256 else _pretrained(weights)


def enlarge(images: np.ndarray, side: int) -> np.ndarray:
    """Resize `images` (N, H, W, C) uint8, C 1 or 3, to (N, side, side, 3) float32 in [0, 255].

    Bicubic, and antialiased where the images shrink, as scores need it (Parmar et al. 2022, "On aliased resizing").
    """
    found = np.empty((len(images), side, side, 3), np.float32)
    for index, image in enumerate(np.broadcast_to(images, (*images.shape[:3], 3))):
        found[index] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    return found


def shipped_network(arrays: efficientnet.Arrays, *, side: int = SHIPPED_SIDE) -> keras.Model:
    """Lite0 as a model from (N, side, side, 3) float32, as `prepare` gives them, to features (N, 192).

    `arrays` are named as in the package's file; `KeyError` if one is missing.
    """
    inputs = keras.Input((side, side, 3))
    _, *maps = efficientnet.maps_of(inputs, arrays)
    means = {group.block: keras.layers.GlobalAveragePooling2D()(maps[group.block]) for group in GROUPS}
    size, total = sum(LITE0[group.block].channels for group in GROUPS), sum(group.weight for group in GROUPS)
    features, as_they_are = [], (np.float32(0), np.float32(1))
    for group in GROUPS:
        # The kernel of the KID divides by the number of features: a group then counts by its weight, whatever its size
        share = ENERGY * group.weight / total * size / LITE0[group.block].channels
        mean, deviation = efficientnet.statistics(arrays, group.block) if group.normalised else as_they_are
        factor = np.float32(np.sqrt(share) / group.scale) / deviation
        features.append((means[group.block] - mean) * factor)
    found = keras.layers.Concatenate()(features)
    return keras.Model(inputs, found)


def _backbone(backbone: Backbone) -> FeatureExtractor:
    name = f"backbone-{BACKBONE_SIDE}-{of_bytes(backbone.content)[:8]}"
    return FeatureExtractor(name=name, features=lambda images: backbone(images)[0], pretrained=True)


def _pretrained(weights: Weights) -> FeatureExtractor:
    """The extractor of `weights`: the last layer averaged over H and W, with 1,024 or 2,048 features, or DINOv2's."""
    if weights.path.suffix == dinov2.SUFFIX:
        return _dinov2(weights)
    name, network = load_network(weights, SIDES, option="extractor", alternative=AUTO)
    pooled = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(network.output))
    extract = _NetworkExtractor(pooled, prepare=preprocessing(name), side=SIDES[name], depthwise=name in DEPTHWISE)
    return FeatureExtractor(
        name=f"{name.lower()}-{SIDES[name]}-{weights.digest[:8]}", features=extract, pretrained=True
    )


def _efficientnet(weights: Weights) -> FeatureExtractor:
    network = shipped_network(read_arrays(weights.path, sha256=weights.digest))
    extract = _NetworkExtractor(network, prepare=efficientnet.prepare, side=SHIPPED_SIDE, depthwise=True)
    name = f"efficientnet-lite0-{SHIPPED_SIDE}-{weights.digest[:8]}"
    return FeatureExtractor(name=name, features=extract, pretrained=True)


def _dinov2(weights: Weights) -> FeatureExtractor:
    try:
        network = dinov2.Dinov2(weights.path)
    except UnusableFile as error:
        raise UserError(
            f"extractor = {weights.path}: these are no weights of DINOv2 ViT-S/14: the file {error}; give"
            f" model.safetensors of facebook/dinov2-small, or extractor = {AUTO}"
        ) from None

    def extract(images: np.ndarray) -> np.ndarray:
        parts = [enlarge(images[at : at + BATCH], network.side) for at in range(0, len(images), BATCH)]
        return np.concatenate([network(part) for part in parts])

    return FeatureExtractor(
        name=f"dinov2-vits14-{network.side}-{weights.digest[:8]}", features=extract, pretrained=True
    )


class _NetworkExtractor:
    """A Keras network as a function from images to features. A `depthwise` one is converted to TensorFlow Lite when it
    is first used on a CPU.
    """

    def __init__(self, network: keras.Model, *, prepare: Callable, side: int, depthwise: bool) -> None:
        self.network, self.prepare, self.side, self.depthwise = network, prepare, side, depthwise

    def __call__(self, images: np.ndarray) -> np.ndarray:
        size, compute = self._compute
        parts = [images[at : at + size] for at in range(0, len(images), size)]
        return np.concatenate([compute(self.prepare(enlarge(part, self.side))) for part in parts])

    @cached_property
    def _compute(self) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
        """How many pictures at once, and a function from them, float32, to features."""
        if self.depthwise and backend() == "tensorflow" and not has_gpu():
            lite = convert(lambda pictures: {"features": self.network(pictures, training=False)}, side=self.side)
            return LITE_BATCH, lambda pictures: lite(pictures)[0]
        return BATCH, self._predict

    def _predict(self, pictures: np.ndarray) -> np.ndarray:
        batch = np.zeros((BATCH, *pictures.shape[1:]), np.float32)
        batch[: len(pictures)] = pictures
        return self.network.predict_on_batch(batch)[: len(pictures)]
