"""The trained classifier: a kernel machine and, without a backbone, an ensemble of CNNs, whose scores are added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.filter.calibration import Calibration
from pipeline.filter.cnn import Network
from pipeline.filter.features import FeatureExtractor, select_rows
from pipeline.filter.kernel import KernelMachine

NETWORK_WEIGHT = 0.5  # of the networks' mean; the kernel machine has 1. Best with 80 labels, near the best with 200
BATCH = 256  # squares at once
LANDMARKS = 256  # training squares that others are compared with, for features on the label page


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Standardises the scores of one model to mean 0 and standard deviation 1 on the training squares, so that they add
    up."""

    mean: float
    spread: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return (scores - self.mean) / self.spread


def fit_scale(scores: np.ndarray) -> Scale:
    """Fit the scale to `scores` (N,) of the training squares."""
    return Scale(mean=float(scores.mean()), spread=max(float(scores.std()), 1e-6))


def combine(kernel_scores: np.ndarray, network_scores: Sequence[np.ndarray]) -> np.ndarray:
    """Add the scaled scores of the kernel machine, (N,) or (M, N), and the mean of the networks' scores, each (N,)."""
    return kernel_scores + NETWORK_WEIGHT * np.mean(network_scores, axis=0) if len(network_scores) else kernel_scores


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of a classifier for N squares."""

    probability: np.ndarray  # (N,) of being on target, for the class prior `calibration.prior`
    standard_error: np.ndarray  # (N,) of `probability`, as far as it depends on which labels exist (jackknife)
    similarity: np.ndarray  # (N, up to LANDMARKS) float32, kernel similarity to the landmarks


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Predicts the probability that a square is on target."""

    extract: FeatureExtractor
    machine: KernelMachine
    machine_scale: Scale
    networks: tuple[Network, ...]
    network_scales: tuple[Scale, ...]
    calibration: Calibration

    def __call__(self, images: np.ndarray) -> Predictions:
        """Predict `images` (N, H, W, C) uint8, at most `BATCH` at once."""
        pairs = zip(self.networks, self.network_scales, strict=True)
        network_scores = [scale(network(images)) for network, scale in pairs]
        similarity = self.machine.kernel(self.extract(images), self.machine.support)
        kernel_scores = self.machine_scale(similarity @ self.machine.weights).T
        probability, *jackknife_replicates = self.calibration(combine(kernel_scores, network_scores))
        return Predictions(
            probability=probability,
            standard_error=_jackknife(np.array(jackknife_replicates)),
            similarity=similarity[:, : min(LANDMARKS, similarity.shape[1])].astype(np.float32),
        )

    def landmarks(self) -> np.ndarray:
        """Kernel similarity between the landmarks, (M, M)."""
        known = select_rows(self.machine.support, np.arange(min(LANDMARKS, len(self.machine.weights))))
        return self.machine.kernel(known, known)


def _jackknife(left_out: np.ndarray) -> np.ndarray:
    """Jackknife standard error (N,) of values that were computed with one group left out (J. Tukey).

    Args:
        left_out: (G, N), row g without group g.
    """
    groups = len(left_out)
    return np.sqrt((groups - 1) / groups * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
