"""A picture as the kernel sees it: several kinds of features, each apart, and how much each counts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.filter import histograms
from pipeline.filter.backbone import Backbone
from pipeline.filter.patches import PatchDictionary
from pipeline.filter.squares import squares
from pipeline.images.normalize import cores

Views = tuple[np.ndarray, ...]  # one (N, D) float32 for each kind


def pick(views: Views, which: np.ndarray) -> Views:
    """The rows `which` (indices or a mask) of each kind."""
    return tuple(view[which] for view in views)


def join(parts: list[Views]) -> Views:
    """Views of some pictures after another as views of all."""
    return tuple(np.concatenate(kind) for kind in zip(*parts, strict=True))


class Describer(Protocol):
    """Makes views: `images` (N, H, W, C) uint8, C 1 or 3, to one (N, D) array for each of `kinds`."""

    kinds: ClassVar[tuple[str, ...]]
    shares: ClassVar[tuple[float, ...]]  # of each kind in the kernel; they sum to 1

    def __call__(self, images: np.ndarray) -> Views: ...


@dataclass(frozen=True, kw_only=True)
class SmallDescriber:
    """What needs no pretrained weights: histograms, and a dictionary of patches learnt from the pictures at hand.

    Different kinds add up: on six subjects, from 80 labels, a kernel on both has a mean average precision of .70 where
    histograms alone have .56.
    """

    dictionary: PatchDictionary
    kinds: ClassVar[tuple[str, ...]] = "histograms", "patches"
    shares: ClassVar[tuple[float, ...]] = 1 / 3, 2 / 3  # patches tell more on every subject measured

    def __call__(self, images: np.ndarray) -> Views:
        return _by_threads(self._describe, squares(images, histograms.SIDE))

    def _describe(self, images: np.ndarray) -> Views:
        return histograms.histograms(images), self.dictionary.features(images)


@dataclass(frozen=True, kw_only=True)
class BackboneDescriber:
    """What a pretrained network sees at its end and half way, and the colours, which it was trained not to mind.

    The deep features alone are worth most where kinds of things differ (flowers); colours help where drawings, toys and
    photographs of one subject belong together. With all three the mean average precision over six subjects is .87 from
    80 labels, against .85 for logistic regression on features of the same network at a larger size. Square roots make
    distances Hellinger's, so that a few loud channels do not drown the others.
    """

    backbone: Backbone
    kinds: ClassVar[tuple[str, ...]] = "deep", "middle", "colours"
    shares: ClassVar[tuple[float, ...]] = 0.8, 0.1, 0.1

    def __call__(self, images: np.ndarray) -> Views:
        found = squares(images, histograms.SIDE)
        colours = np.array([histograms.colours(image) for image in found])
        deep, middle = self.backbone(images)
        return _rounded(np.sqrt(np.maximum(deep, 0))), _rounded(np.sqrt(np.maximum(middle, 0))), _rounded(colours)


def _rounded(features: np.ndarray) -> np.ndarray:
    """As float32, but such that they can be kept in half the space without a loss."""
    return features.astype(np.float16).astype(np.float32)


def _by_threads(describe: Callable[[np.ndarray], Views], images: np.ndarray) -> Views:
    """The same as `describe(images)`, each core at a part; NumPy's own threads would only wait for each other."""
    parts = [part for part in np.array_split(images, cores()) if len(part)]
    with threadpool_limits(1), ThreadPoolExecutor(len(parts)) as workers:
        return join(list(workers.map(describe, parts)))
