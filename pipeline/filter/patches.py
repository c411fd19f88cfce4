"""A dictionary of patches, learnt from all pictures without their labels, in two layers.

After A. Coates, H. Lee and A. Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (2011):
whitened patches, spherical k-means, a soft threshold, sums over cells. The second layer does the same to 2 x 2 cells of
the first. From 80 labels a kernel on these features beats one on histograms on every subject measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.images.raster import squares

SIDE = 36
PATCH = 5  # pixels a side, in (SIDE - PATCH + 1)² = 32 x 32 places
CELL = 4  # places a side that are summed up: 8 x 8 cells
NEIGHBOURS = 2  # cells a side that the second layer sees at once, in 7 x 7 places
WORDS = 128, 384  # in the dictionaries of the two layers
CHANNELS = 40  # that the 2 x 128 of the first layer are brought down to
SIZE = 4 * 2 * WORDS[1]  # numbers of a picture: in each quarter, each word, each way
SAMPLES = 40_000, 20_000  # patches each dictionary is learnt from
ROUNDS = 8  # of k-means; more change nothing that shows
THRESHOLD = 0.5  # of the first layer, in units of a whitened patch
BATCH = 8  # pictures at once: few enough for the answers to stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Words:
    """One layer: a patch `p` answers with `p @ directions - offsets`."""

    directions: np.ndarray  # (P, K) float32, whitening included
    offsets: np.ndarray  # (K,) float32
    threshold: float  # weaker answers count as none


@dataclass(frozen=True, kw_only=True)
class PatchDictionary:
    """Both layers, and what lies between them."""

    first: Words
    centre: np.ndarray  # (2 * 128,) float32, the mean cell
    channels: np.ndarray  # (2 * 128, 40) float32, its principal directions
    energy: float  # mean squared length of what the second layer sees
    second: Words

    def features(self, images: np.ndarray) -> np.ndarray:
        """`images` (N, H, W, 3) uint8 as (N, 4 * 2 * 384) float32, the answers in each quarter of the picture."""
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return np.concatenate([self._quarters(batch) for batch in batches])

    def _quarters(self, images: np.ndarray) -> np.ndarray:
        cells = (_cells(images, self.first) - self.centre) @ self.channels
        answers = _even(_blocks(cells), self.energy) @ self.second.directions - self.second.offsets
        middle = answers.shape[1] // 2
        halves = slice(None, middle + 1), slice(middle, None)
        quarters = [answers[:, a, b].reshape(len(images), -1, answers.shape[-1]) for a in halves for b in halves]
        return np.concatenate([_pool(quarter, self.second.threshold) for quarter in quarters], axis=1)


def learn_dictionary(images: np.ndarray, seed: int) -> PatchDictionary:
    """The dictionary of `images` (N, H, W, 3) uint8, the same for the same seed."""
    random = np.random.default_rng(seed)
    patches = _pixels(images)
    first = _learn(_normal(_sample(patches, SAMPLES[0], random)), WORDS[0], ridge=0.1, random=random)
    first = Words(directions=first.directions, offsets=first.offsets, threshold=THRESHOLD)
    cells = np.concatenate([_cells(images[start : start + BATCH], first) for start in range(0, len(images), BATCH)])
    centre, channels = _principal(cells.reshape(-1, cells.shape[-1]), CHANNELS)
    blocks = _blocks((cells - centre) @ channels)
    energy = float((blocks**2).sum(axis=-1).mean())
    second = _learn(_even(_sample(blocks, SAMPLES[1], random), energy), WORDS[1], ridge=1e-3, random=random)
    return PatchDictionary(first=first, centre=centre, channels=channels, energy=energy, second=second)


def _pixels(images: np.ndarray) -> np.ndarray:
    """A view of every patch, (N, 32, 32, 3, 5, 5) uint8."""
    return sliding_window_view(squares(images, SIDE), (PATCH, PATCH), axis=(1, 2))


def _blocks(cells: np.ndarray) -> np.ndarray:
    """Every 2 x 2 cells side by side, (N, 7, 7, 2 * 2 * C)."""
    views = sliding_window_view(cells, (NEIGHBOURS, NEIGHBOURS), axis=(1, 2))
    return views.reshape(*views.shape[:3], -1)


def _sample(places: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """`count` of the places of (N, H, W, ...), drawn with replacement, each flat: (count, P) float32."""
    drawn = places[tuple(random.integers(0, extent, count) for extent in places.shape[:3])]
    return drawn.reshape(count, -1).astype(np.float32)


def _normal(patches: np.ndarray) -> np.ndarray:
    """Patches (..., P) of pixels with mean 0 and variance 1, but for flat ones: light and contrast do not count."""
    centred = patches - patches.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 10)  # 10: three grey levels, the noise of a JPEG


def _even(blocks: np.ndarray, energy: float) -> np.ndarray:
    """Blocks (..., P) of cells of about one length, but for empty ones."""
    return blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 0.1 * energy)


def _learn(samples: np.ndarray, count: int, *, ridge: float, random: np.random.Generator) -> Words:
    """`count` words out of `samples` (n, P); answers weaker than their own standard deviation count as none."""
    mean = samples.mean(axis=0)
    values, vectors = np.linalg.eigh((samples - mean).T @ (samples - mean) / len(samples))
    whitening = (vectors / np.sqrt(np.maximum(values, 0) + ridge)) @ vectors.T
    directions = whitening @ _spherical_kmeans((samples - mean) @ whitening, count, random).T
    offsets = mean @ directions
    return Words(directions=directions, offsets=offsets, threshold=float((samples @ directions - offsets).std()))


def _spherical_kmeans(samples: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """`count` unit vectors (count, P) such that each sample lies along one of them, one way or the other."""
    words = _unit(random.standard_normal((count, samples.shape[1]), np.float32))
    for _ in range(ROUNDS):
        answers = samples @ words.T
        nearest = np.abs(answers).argmax(axis=1, keepdims=True)
        chosen = np.zeros_like(answers)
        np.put_along_axis(chosen, nearest, np.take_along_axis(answers, nearest, axis=1), axis=1)
        words = _unit(chosen.T @ samples + words)
    return words


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _principal(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of `rows` (n, P) and their `count` principal directions (P, count)."""
    centre = rows.mean(axis=0)
    vectors = np.linalg.eigh((rows - centre).T @ (rows - centre))[1]
    return centre, np.ascontiguousarray(vectors[:, -count:])


def _cells(images: np.ndarray, words: Words) -> np.ndarray:
    """The first layer's answers to `images` in each cell, (N, 8, 8, 2 * 128)."""
    patches = _pixels(images)
    side = patches.shape[1] // CELL
    cells = patches.reshape(len(images), side, CELL, side, CELL, -1).swapaxes(2, 3)
    flat = _normal(cells.reshape(len(images), side, side, CELL * CELL, -1).astype(np.float32))
    return _pool(flat @ words.directions - words.offsets, words.threshold)


def _pool(answers: np.ndarray, threshold: float) -> np.ndarray:
    """Answers (..., places, K) as (..., 2K): how far beyond the threshold they go on average, each way apart.

    The square root makes distances Hellinger's: a word that fills the picture does not drown all others.
    """
    up = np.maximum(answers - threshold, 0).mean(axis=-2)
    down = np.maximum(-answers - threshold, 0).mean(axis=-2)
    return np.sqrt(np.concatenate([up, down], axis=-1))
