"""Folders of on- and off-target pictures as what the filter learns from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.filter.classifier import BATCH
from pipeline.filter.learn import LearnResult, Pool, learn
from pipeline.filter.train_classifier import number_groups
from pipeline.images.crop import fit_to_square
from pipeline.images.decode import Decoded, decode
from pipeline.images.duplicates import group_alike
from pipeline.options import ClassifierOptions, NormalizeOptions
from pipeline.pretrained import Weights

OPTIONS = NormalizeOptions(size=64, max_aspect=1000)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Pictures whose truth is known: `images` (N, 64, 64, 3) uint8, `on` (N,) bool."""

    images: np.ndarray
    on: np.ndarray

    @property
    def ids(self) -> list[str]:
        """A name for each picture, random as those of the pipeline are."""
        order = np.random.default_rng(0).permutation(len(self.on))
        return [f"{place:064x}" for place in order]


def read_subject(on: Path, off: Sequence[Path]) -> Subject:
    """Every picture below `on`, and below the folders `off`, that can be decoded."""
    pictures, rest = _below(on), [picture for folder in off for picture in _below(folder)]
    truth = np.array([True] * len(pictures) + [False] * len(rest))
    return Subject(images=np.array([*pictures, *rest]), on=truth)


def _below(folder: Path) -> list[np.ndarray]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [decode(path.read_bytes(), OPTIONS) for path in paths]
    return [fit_to_square(picture.raster, OPTIONS) for picture in found if isinstance(picture, Decoded)]


def train(subject: Subject, labelled: Sequence[int], weights: Weights | None) -> LearnResult:
    """What is learnt from the labels of the pictures at `labelled`; all others are known without labels."""
    ids = subject.ids
    labels = {ids[place]: "on" if subject.on[place] else "off" for place in labelled}
    numbers = number_groups(labels, group_alike(ids, subject.images))
    order = np.argsort(ids)
    pool = Pool(
        images=subject.images[order],
        on=np.array([labels.get(ids[place]) == "on" for place in order]),
        group=np.array([numbers.get(ids[place], -1) for place in order]),
    )
    return learn(pool, ClassifierOptions(), weights, lambda note: None)


def ask(learned: LearnResult, images: np.ndarray) -> np.ndarray:
    """The probability of each of `images`."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([learned.classifier(images[start : start + BATCH]).probability for start in starts])
