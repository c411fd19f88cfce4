"""What the pictures without labels say: those that are near each other belong together.

After D. Zhou et al., "Learning with Local and Global Consistency" (2004), but what is spread over the neighbours is the
score of a machine that knows the labels, not the labels. With a backbone's features that is worth .012 of average
precision from 80 labels; with histograms and patches, whose nearest pictures are often of another kind, nothing.
"""

import numpy as np

NEIGHBOURS = 10
# Of a score that comes from the neighbours. Kinds of flowers gain .005 more at .5, but on a real crawl, where what does
# not belong is of many kinds, more than .3 costs precision, and the more so the more labels there are
SPREAD = 0.3
RIDGE = 0.03  # of the regression that learns the spread scores: nearly what they are


def carry(features: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """The matrix (N, N) that brings scores of N pictures to the weights, over all of them, of a machine that gives each
    picture the mean over its neighbours and theirs.

    `features` (N, D) say who is whose neighbour, `likeness` (N, N) is the machine's kernel matrix.
    """
    spread = (1 - SPREAD) * np.linalg.inv(np.eye(len(features)) - SPREAD * _steps(features))
    return np.linalg.solve(likeness + RIDGE * np.eye(len(features)), spread)


def _steps(features: np.ndarray) -> np.ndarray:
    """How likely a walk goes from each picture to each other one, (N, N): only to near ones, more to nearer ones."""
    alike = np.maximum(_cosines(features), 0) ** 3
    np.fill_diagonal(alike, 0)
    nearest = np.partition(alike, -min(NEIGHBOURS, len(alike)), axis=1)[:, -min(NEIGHBOURS, len(alike))]
    edges = np.where(alike >= nearest[:, np.newaxis], alike, 0)
    edges = np.maximum(edges, edges.T)
    return edges / np.maximum(edges.sum(axis=1, keepdims=True), 1e-12)


def _cosines(features: np.ndarray) -> np.ndarray:
    centred = features.astype(np.float64)
    centred -= centred.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return centred @ centred.T
