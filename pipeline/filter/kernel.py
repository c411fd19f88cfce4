"""Kernel ridge regression on the views: from 80 labels the best single classifier measured, and trained in no time."""

from dataclasses import dataclass

import numpy as np

from pipeline.filter.views import Views, pick

SHARES = 1 / 3, 2 / 3  # of histograms and patches in the kernel; patches tell more on every subject measured
RIDGE = 0.2  # anything from 0.05 to 0.5 does as well


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A weighted sum of Gaussian kernels, one for each kind of features, each with the mean distance as its width."""

    widths: tuple[float, ...]  # mean squared distance between two pictures of the pool

    def __call__(self, left: Views, right: Views) -> np.ndarray:
        """How like the pictures are, (N, M) float64 in (0, 1]."""
        parts = zip(SHARES, self.widths, left, right, strict=True)
        return sum(share * np.exp(-_squared_distances(a, b) / width) for share, width, a, b in parts)


def fit_kernel(views: Views) -> Kernel:
    """The kernel whose widths fit the pictures of `views`, two at least."""
    count = len(views[0])
    pairs = max(count * (count - 1), 1)
    return Kernel(widths=tuple(max(float(_squared_distances(view, view).sum()) / pairs, 1e-6) for view in views))


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left, right = left.astype(np.float64), right.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, np.newaxis] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.maximum(squares, 0)


@dataclass(frozen=True, kw_only=True)
class KernelMachine:
    """A score for any picture from its likeness to the labelled ones; about 1 for on target, -1 for off."""

    kernel: Kernel
    support: Views  # of the labelled pictures
    weights: np.ndarray  # (L,) float64

    def __call__(self, views: Views) -> np.ndarray:
        """The scores (N,) float64 of the pictures of `views`."""
        return self.kernel(views, self.support) @ self.weights


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A trained machine, and the score (L,) that each of its pictures gets from a machine trained without it."""

    machine: KernelMachine
    left_out: np.ndarray


def fit_machine(kernel: Kernel, views: Views, on: np.ndarray) -> Fit:
    """Train on the pictures of `views`, `on` (L,) bool; both labels weigh the same in all, however many there are.

    The left-out scores are exact: y - a / diag(K⁻¹), with a = K⁻¹ y (Rasmussen and Williams, "Gaussian Processes for
    Machine Learning", 2006, equation 5.12).
    """
    target = np.where(on, 1.0, -1.0)
    share = np.where(on, on.mean(), 1 - on.mean())
    inverse = np.linalg.inv(kernel(views, views) + np.diag(2 * RIDGE * share))
    weights = inverse @ target
    machine = KernelMachine(kernel=kernel, support=views, weights=weights)
    return Fit(machine=machine, left_out=target - weights / np.diag(inverse))


def components(kernel: Kernel, views: Views, *, landmarks: int, count: int) -> np.ndarray:
    """The `count` strongest principal components of what the kernel sees, (N, count) float32 of variance about 1.

    Found on the first `landmarks` pictures and carried over to the others (Nyström's method).
    """
    near = pick(views, np.arange(min(landmarks, len(views[0]))))
    inner, outer = kernel(near, near), kernel(views, near)
    values, vectors = np.linalg.eigh(_centred(inner, inner))
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    keep = values > 1e-6 * values[0]
    scale = np.sqrt(len(inner)) / values[keep]
    return (_centred(outer, inner) @ vectors[:, keep] * scale).astype(np.float32)


def _centred(rows: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Kernel values `rows` (N, M) with the mean of the M landmarks taken as the origin."""
    return rows - rows.mean(axis=1, keepdims=True) - inner.mean(axis=0) + inner.mean()
