"""Which features the scores are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.filter.embed import embed, extractor_name
from pipeline.filter.histograms import SIDE, histograms
from pipeline.filter.squares import squares


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A way from images (N, S, S, C) uint8 to features (N, D). Scores under different names cannot be compared."""

    name: str
    features: Callable[[np.ndarray], np.ndarray]


def choose_extractor(classifier: Path | None) -> Extractor:
    """The networks of the folder `classifier`; without one, histograms, which need no training."""
    if classifier is None:
        return Extractor(name=f"histograms-{SIDE}", features=lambda images: histograms(squares(images, SIDE)))
    return Extractor(name=extractor_name(classifier), features=lambda images: embed(classifier, images))
