"""A dictionary of patches in two layers, learned without labels from all squares.

After A. Coates, H. Lee and A. Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (2011):
whitened patches, spherical k-means, a soft threshold, sums over cells. The second layer does the same with 2 x 2 cells
of the first. With 80 labels a kernel on these features is better than one on histograms on every subject measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.images.raster import squares

SIDE = 36
PATCH = 5  # pixels a side, at (SIDE - PATCH + 1)² = 32 x 32 positions
CELL = 4  # positions a side that are pooled: 8 x 8 cells
NEIGHBOURS = 2  # cells a side that the second layer reads at once, at 7 x 7 positions
DICTIONARY_SIZES = 128, 384  # words of the two layers
CHANNELS = 40  # that the 2 x 128 responses of the first layer are reduced to (PCA)
SIZE = 4 * 2 * DICTIONARY_SIZES[1]  # features of a square: quarters, signs, words
TRAINING_PATCHES = 40_000, 20_000  # that each layer is learned from
KMEANS_ITERATIONS = 8  # more make no visible difference
THRESHOLD = 0.5  # of the first layer, in units of a whitened patch
BATCH = 8  # squares at once: the responses then fit into the processor's cache


@dataclass(frozen=True, kw_only=True)
class DictionaryLayer:
    """One layer: a patch `p` gives the responses `p @ directions - offsets`."""

    directions: np.ndarray  # (P, K) float32, whitening included
    offsets: np.ndarray  # (K,) float32
    threshold: float  # weaker responses count as zero


@dataclass(frozen=True, kw_only=True)
class PatchDictionary:
    """Both layers, and the projection between them."""

    first: DictionaryLayer
    centre: np.ndarray  # (2 * 128,) float32, the mean cell
    channels: np.ndarray  # (2 * 128, 40) float32, its principal directions
    energy: float  # mean squared length of the second layer's input
    second: DictionaryLayer

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute features of `images` (N, H, W, 3) uint8: (N, 4 * 2 * 384) float32, the responses in each quarter of
        the square."""
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return np.concatenate([self._quarters(batch) for batch in batches])

    def _quarters(self, images: np.ndarray) -> np.ndarray:
        cells = (_cells(images, self.first) - self.centre) @ self.channels
        responses = _normalize_blocks(_blocks(cells), self.energy) @ self.second.directions - self.second.offsets
        middle = responses.shape[1] // 2
        halves = slice(None, middle + 1), slice(middle, None)
        quarters = [responses[:, a, b].reshape(len(images), -1, responses.shape[-1]) for a in halves for b in halves]
        return np.concatenate([_pool(quarter, self.second.threshold) for quarter in quarters], axis=1)


def learn_dictionary(images: np.ndarray, seed: int) -> PatchDictionary:
    """Learn a dictionary from `images` (N, H, W, 3) uint8; bit-identical for the same seed."""
    random = np.random.default_rng(seed)
    patches = _pixels(images)
    first = _learn_layer(
        _normalize_patches(_sample(patches, TRAINING_PATCHES[0], random)), DICTIONARY_SIZES[0], ridge=0.1, random=random
    )
    first = DictionaryLayer(directions=first.directions, offsets=first.offsets, threshold=THRESHOLD)
    cells = np.concatenate([_cells(images[start : start + BATCH], first) for start in range(0, len(images), BATCH)])
    centre, channels = _principal(cells.reshape(-1, cells.shape[-1]), CHANNELS)
    blocks = _blocks((cells - centre) @ channels)
    energy = float((blocks**2).sum(axis=-1).mean())
    second = _learn_layer(
        _normalize_blocks(_sample(blocks, TRAINING_PATCHES[1], random), energy),
        DICTIONARY_SIZES[1],
        ridge=1e-3,
        random=random,
    )
    return PatchDictionary(first=first, centre=centre, channels=channels, energy=energy, second=second)


def _pixels(images: np.ndarray) -> np.ndarray:
    """A view of all patches, (N, 32, 32, 3, 5, 5) uint8."""
    return sliding_window_view(squares(images, SIDE), (PATCH, PATCH), axis=(1, 2))


def _blocks(cells: np.ndarray) -> np.ndarray:
    """All 2 x 2 cells side by side, (N, 7, 7, 2 * 2 * C)."""
    views = sliding_window_view(cells, (NEIGHBOURS, NEIGHBOURS), axis=(1, 2))
    return views.reshape(*views.shape[:3], -1)


def _sample(grid: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw `count` positions of (N, H, W, ...) with replacement, each flattened: (count, P) float32."""
    drawn = grid[tuple(random.integers(0, extent, count) for extent in grid.shape[:3])]
    return drawn.reshape(count, -1).astype(np.float32)


def _normalize_patches(patches: np.ndarray) -> np.ndarray:
    """Normalise patches (..., P) of pixels to mean 0 and variance 1, except flat ones: removes brightness and
    contrast."""
    centred = patches - patches.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 10)  # 10: three grey levels, the noise of a JPEG


def _normalize_blocks(blocks: np.ndarray, energy: float) -> np.ndarray:
    """Normalise blocks (..., P) of cells to a similar length, except empty ones."""
    return blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 0.1 * energy)


def _learn_layer(samples: np.ndarray, count: int, *, ridge: float, random: np.random.Generator) -> DictionaryLayer:
    """Learn `count` words from `samples` (n, P); the threshold is the standard deviation of the responses."""
    mean = samples.mean(axis=0)
    values, vectors = np.linalg.eigh((samples - mean).T @ (samples - mean) / len(samples))
    whitening = (vectors / np.sqrt(np.maximum(values, 0) + ridge)) @ vectors.T
    directions = whitening @ _spherical_kmeans((samples - mean) @ whitening, count, random).T
    offsets = mean @ directions
    return DictionaryLayer(
        directions=directions, offsets=offsets, threshold=float((samples @ directions - offsets).std())
    )


def _spherical_kmeans(samples: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Spherical k-means: `count` unit vectors (count, P), where each sample belongs to the one most parallel to it."""
    words = _unit_rows(random.standard_normal((count, samples.shape[1]), np.float32))
    for _ in range(KMEANS_ITERATIONS):
        responses = samples @ words.T
        nearest = np.abs(responses).argmax(axis=1, keepdims=True)
        chosen = np.zeros_like(responses)
        np.put_along_axis(chosen, nearest, np.take_along_axis(responses, nearest, axis=1), axis=1)
        words = _unit_rows(chosen.T @ samples + words)
    return words


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _principal(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of `rows` (n, P) and their `count` principal directions (P, count)."""
    centre = rows.mean(axis=0)
    vectors = np.linalg.eigh((rows - centre).T @ (rows - centre))[1]
    return centre, np.ascontiguousarray(vectors[:, -count:])


def _cells(images: np.ndarray, layer: DictionaryLayer) -> np.ndarray:
    """Responses of the first layer to `images`, pooled in each cell: (N, 8, 8, 2 * 128)."""
    patches = _pixels(images)
    side = patches.shape[1] // CELL
    cells = patches.reshape(len(images), side, CELL, side, CELL, -1).swapaxes(2, 3)
    flat = _normalize_patches(cells.reshape(len(images), side, side, CELL * CELL, -1).astype(np.float32))
    return _pool(flat @ layer.directions - layer.offsets, layer.threshold)


def _pool(responses: np.ndarray, threshold: float) -> np.ndarray:
    """Pool responses (..., positions, K) to (..., 2K): the mean excess over the threshold, positive and negative apart.

    The square root gives Hellinger distances, so that a word that fills the square does not dominate.
    """
    up = np.maximum(responses - threshold, 0).mean(axis=-2)
    down = np.maximum(-responses - threshold, 0).mean(axis=-2)
    return np.sqrt(np.concatenate([up, down], axis=-1))
