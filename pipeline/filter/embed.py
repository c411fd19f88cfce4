"""Pictures as the networks see them: features for measuring how near two sets of pictures are."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.filter.classifier import BATCH
from pipeline.filter.network import SIDE, Network
from pipeline.filter.saved import FIGURES, load_networks


def embed(classifier: Path, images: np.ndarray) -> np.ndarray:
    """`images` (N, H, W, C) uint8 as (N, 128 * members) float32: the layer before the last of each network of the
    finished folder `classifier`, side by side."""
    networks = _networks(classifier)
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    return np.concatenate([np.concatenate([network(batch).features for network in networks], 1) for batch in batches])


def extractor_name(classifier: Path) -> str:
    """What those features are called, with the start of the weights' digest: figures of one name can be compared."""
    return f"ganmill-cnn-{SIDE}-{_figures(classifier)['digest'][:8]}"


@lru_cache(maxsize=1)  # a GAN's training asks again and again; a finished folder does not change
def _networks(classifier: Path) -> tuple[Network, ...]:
    return load_networks(classifier, len(_figures(classifier)["network_scales"]))


def _figures(classifier: Path) -> dict:
    return json.loads((classifier / FIGURES).read_text(encoding="utf-8"))
