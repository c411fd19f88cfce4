"""A picture as the kernel sees it: each kind of features apart, the same for a picture and its mirror image."""

from dataclasses import dataclass

import numpy as np

from pipeline.filter import histograms
from pipeline.filter.patches import PatchDictionary
from pipeline.filter.squares import mirrored, squares

KINDS = "histograms", "patches"
SIDE = histograms.SIDE  # of the squares that views are made from

Views = tuple[np.ndarray, ...]  # one (N, D) float32 for each of KINDS


def pick(views: Views, which: np.ndarray) -> Views:
    """The rows `which` (indices or a mask) of each kind."""
    return tuple(view[which] for view in views)


def join(parts: list[Views]) -> Views:
    """Views of some pictures after another as views of all."""
    return tuple(np.concatenate(kind) for kind in zip(*parts, strict=True))


@dataclass(frozen=True, kw_only=True)
class Describer:
    """Makes views."""

    dictionary: PatchDictionary

    def __call__(self, images: np.ndarray) -> Views:
        """`images` (N, H, W, C) uint8 as views: features of a picture plus those of its mirror image."""
        found = squares(images, SIDE)
        return tuple(make(found) + make(mirrored(found)) for make in (histograms.histograms, self.dictionary.features))
