"""The whole classifier: a kernel machine and some networks, their scores added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.filter.calibration import Calibration
from pipeline.filter.kernel import KernelMachine
from pipeline.filter.network import Network
from pipeline.filter.views import Describer

NETWORKS_SHARE = 0.5  # of their mean against the machine's 1: best from 80 labels, and near the best from 200
BATCH = 256  # pictures at once


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
    """One score (N,) a picture from the scaled ones of the machine and of each network."""
    return machine + NETWORKS_SHARE * np.mean(networks, axis=0)


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Says how likely pictures are on target."""

    describe: Describer
    machine: KernelMachine
    machine_scale: Scale
    networks: tuple[Network, ...]
    network_scales: tuple[Scale, ...]
    calibration: Calibration

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The probabilities (N,) of `images` (N, H, W, C) uint8, at most `BATCH` at once, where the share of on-target
        pictures is `calibration.prior`."""
        pairs = zip(self.networks, self.network_scales, strict=True)
        scores = [scale(network(images).scores) for network, scale in pairs]
        return self.calibration(combine(self.machine_scale(self.machine(self.describe(images))), scores))
