"""Pictures as the networks see them: features for measuring how near two sets of pictures are."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.filter.backbone import SIDE as BACKBONE_SIDE
from pipeline.filter.classifier import BATCH
from pipeline.filter.network import SIDE, Network
from pipeline.filter.saved import BACKBONE, load_backbone, load_figures, load_networks
from pipeline.store import digest


def embed(classifier: Path, images: np.ndarray) -> np.ndarray:
    """`images` (N, H, W, C) uint8 as (N, D) float32: what the backbone of the finished folder `classifier` sees, or
    else the layers before the last of its networks side by side."""
    see = _eyes(classifier)
    return np.concatenate([see(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


def extractor_name(classifier: Path) -> str:
    """What those features are called, with the start of the weights' digest: figures of one name can be compared."""
    if backbone := load_backbone(classifier):
        return f"backbone-{BACKBONE_SIDE}-{digest.of_bytes(backbone.content)[:8]}"
    return f"ganmill-cnn-{SIDE}-{load_figures(classifier).digest[:8]}"


def has_backbone(classifier: Path) -> bool:
    """Whether those features are a pretrained network's, whatever the labels say."""
    return (classifier / BACKBONE).exists()


@lru_cache(maxsize=1)  # a GAN's training asks again and again; a finished folder does not change
def _eyes(classifier: Path) -> Callable[[np.ndarray], np.ndarray]:
    if backbone := load_backbone(classifier):
        return lambda images: backbone(images)[0]
    networks = load_networks(classifier, len(load_figures(classifier).network_scales))
    return lambda images: _side_by_side(networks, images)


def _side_by_side(networks: tuple[Network, ...], images: np.ndarray) -> np.ndarray:
    return np.concatenate([network(images).features for network in networks], axis=1)
