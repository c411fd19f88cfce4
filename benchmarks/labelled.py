"""Folders of on-target and off-target pictures as training data for the filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.filter.classifier import BATCH
from pipeline.filter.learn import LearnResult, TrainingPool, learn
from pipeline.filter.train_classifier import number_groups
from pipeline.images.crop import fit_to_square
from pipeline.images.decode import Decoded, decode
from pipeline.images.duplicates import group_similar
from pipeline.options import ClassifierOptions, NormalizeOptions
from pipeline.pretrained import Weights

OPTIONS = NormalizeOptions(size=64, max_aspect=1000)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Squares with known labels: `images` (N, 64, 64, 3) uint8, `on` (N,) bool."""

    images: np.ndarray
    on: np.ndarray

    @property
    def ids(self) -> list[str]:
        """A random id for each square, like the hashes of the pipeline."""
        order = np.random.default_rng(0).permutation(len(self.on))
        return [f"{index:064x}" for index in order]


def read_subject(on: Path, off: Sequence[Path]) -> Subject:
    """Read every picture in `on` and in the folders `off` that can be decoded."""
    pictures, others = read_pictures(on), [picture for folder in off for picture in read_pictures(folder)]
    on_target = np.array([True] * len(pictures) + [False] * len(others))
    return Subject(images=np.array([*pictures, *others]), on=on_target)


def read_pictures(folder: Path) -> list[np.ndarray]:
    """Every picture in `folder` and below it that can be decoded, as a square."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [decode(path.read_bytes(), OPTIONS) for path in paths]
    return [fit_to_square(picture.raster, OPTIONS) for picture in found if isinstance(picture, Decoded)]


def train(subject: Subject, labelled: Sequence[int], weights: Weights | None) -> LearnResult:
    """Train on the labels of the squares at the indices `labelled`; all others are unlabelled."""
    ids = subject.ids
    labels = {ids[index]: "on" if subject.on[index] else "off" for index in labelled}
    group_numbers = number_groups(labels, group_similar(ids, subject.images))
    order = np.argsort(ids)
    pool = TrainingPool(
        images=subject.images[order],
        on=np.array([labels.get(ids[index]) == "on" for index in order]),
        group=np.array([group_numbers.get(ids[index], -1) for index in order]),
    )
    return learn(pool, ClassifierOptions(), weights, lambda note: None)


def predict(learned: LearnResult, images: np.ndarray) -> np.ndarray:
    """The probability of each of `images`."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([learned.classifier(images[start : start + BATCH]).probability for start in starts])
