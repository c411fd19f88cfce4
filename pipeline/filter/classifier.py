"""The whole classifier: a kernel machine and, without a backbone, some networks, their scores added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.filter.calibration import Calibration
from pipeline.filter.cnn import Network
from pipeline.filter.features import Describer, pick
from pipeline.filter.kernel import KernelMachine

NETWORKS_SHARE = 0.5  # of their mean against the machine's 1: best from 80 labels, and near the best from 200
BATCH = 256  # pictures at once
LANDMARKS = 256  # known pictures that others are compared with, to tell what is like what


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Brings scores of one origin to mean 0 and spread 1 over the pictures trained with, so that they can be added."""

    mean: float
    spread: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return (scores - self.mean) / self.spread


def fit_scale(scores: np.ndarray) -> Scale:
    """The scale of the pictures with `scores` (N,)."""
    return Scale(mean=float(scores.mean()), spread=max(float(scores.std()), 1e-6))


def combine(machine: np.ndarray, networks: Sequence[np.ndarray]) -> np.ndarray:
    """One score a picture from the scaled ones of the machine, (N,) or (M, N), and of each network, (N,)."""
    return machine + NETWORKS_SHARE * np.mean(networks, axis=0) if len(networks) else machine


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a classifier says of N pictures."""

    probability: np.ndarray  # (N,) of being on target, where their share is `calibration.prior`
    spread: np.ndarray  # (N,) its standard error as far as it comes from which labels there are (a jackknife)
    likeness: np.ndarray  # (N, up to LANDMARKS) float32, to known pictures


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Says how likely pictures are on target."""

    describe: Describer
    machine: KernelMachine
    machine_scale: Scale
    networks: tuple[Network, ...]
    network_scales: tuple[Scale, ...]
    calibration: Calibration

    def __call__(self, images: np.ndarray) -> Answers:
        """The answers to `images` (N, H, W, C) uint8, at most `BATCH` at once."""
        pairs = zip(self.networks, self.network_scales, strict=True)
        scores = [scale(network(images).scores) for network, scale in pairs]
        likeness = self.machine.kernel(self.describe(images), self.machine.support)
        machines = self.machine_scale(likeness @ self.machine.weights).T
        probability, *others = self.calibration(combine(machines, scores))
        return Answers(
            probability=probability,
            spread=_jackknife(np.array(others)),
            likeness=likeness[:, : min(LANDMARKS, likeness.shape[1])].astype(np.float32),
        )

    def landmarks(self) -> np.ndarray:
        """How like the known pictures that others are compared with are to each other, (M, M)."""
        known = pick(self.machine.support, np.arange(min(LANDMARKS, len(self.machine.weights))))
        return self.machine.kernel(known, known)


def _jackknife(left_out: np.ndarray) -> np.ndarray:
    """The standard error (N,) of values that `left_out` (G, N) were found for with one group left out (J. Tukey)."""
    groups = len(left_out)
    return np.sqrt((groups - 1) / groups * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
