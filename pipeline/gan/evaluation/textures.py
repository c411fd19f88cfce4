"""Texture features of pictures that need neither training nor weights: the default extractor of the scores.

Filters of four directions at four scales, their strength in cells of a grid, and the same filters on the strengths
themselves: the scattering transform (J. Bruna and S. Mallat, "Invariant Scattering Convolution Networks", 2013), in the
form of a pyramid. How sparse the responses are, and whether they agree from scale to scale, tells pictures, whose edges
are few and show at every scale, from noise of the same spectrum (J. Portilla and E. Simoncelli, "A Parametric Texture
Model Based on Joint Statistics of Complex Wavelet Coefficients", 2000).

Features of noise, of any contrast, are far from those of pictures; those of a picture move farther away the more it is
blurred. With histograms of gradients and colours, noise could score better than recognisable samples.
`benchmarks/judge.py` measures how far the scores agree with those of a pretrained network.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.images.raster import squares
from pipeline.machine import usable_cores

SIDE = 64  # larger pictures shrink to it, smaller ones grow
LEVELS = 4  # of the pyramid: 64, 32, 16 and 8 px
DIRECTIONS = 4
GRID = 4  # cells a side, in which responses are averaged
KERNEL = 7  # pixels a side
FREQUENCY, WIDTH = 3 * np.pi / 4, 0.8  # of a filter, in radians and pixels, as usual for scattering
SLANT = 0.5  # of the filter's envelope, across and along its waves
# Mean square of a feature of a usual picture: the cubic kernel of the KID is then neither linear, which would see means
# alone, nor so steep that a few strange pictures decide
ENERGY = 0.3
BATCH = 32  # pictures at once, of one thread
SMALLEST = 2e-3  # strengths below it are the rounding of pixels
SMALLEST_SHARE = 2e-2  # sums of strengths below it are those of a flat cell


@dataclass(frozen=True, kw_only=True)
class Block:
    """One kind of features: centred and scaled to about mean 0 and variance 1 on pictures, then weighted.

    The numbers are constants, so that the features of a picture do not depend on others. Centres and scales are means
    over photographs, drawings and clothes of 28 to 64 px; the weights were chosen on these among 200 combinations.
    """

    centre: float
    scale: float
    weight: float


BLOCKS = {
    "colour": Block(centre=0.197, scale=6.14, weight=3),
    "strength": Block(centre=0.089, scale=24.7, weight=1),
    "share": Block(centre=0.057, scale=33.2, weight=3),
    "whole_share": Block(centre=0.057, scale=57.3, weight=1),
    "second": Block(centre=0.039, scale=69.5, weight=3),
    "sparse": Block(centre=0.520, scale=4.88, weight=1),
    "agreement": Block(centre=0.731, scale=8.30, weight=0.3),
}


def textures(images: np.ndarray) -> np.ndarray:
    """Compute features of `images` (N, H, W, C) uint8, C 1 or 3: (N, D) float32.

    The features of a picture do not depend on the others, and are bit-identical on the same machine.
    """
    batches = [images[start : start + BATCH] for start in range(0, max(len(images), 1), BATCH)]
    with ThreadPoolExecutor(usable_cores()) as threads:
        return np.concatenate([*threads.map(_features, batches)])


def _features(images: np.ndarray) -> np.ndarray:
    blocks = [(BLOCKS[name], values.reshape(len(images), -1)) for name, values in texture_blocks(images).items()]
    # The kernel of the KID divides by the number of features: each block then counts by its weight, whatever its size
    size, total = sum(values.shape[1] for _, values in blocks), sum(block.weight for block, _ in blocks)
    scaled = [
        (values - block.centre) * (block.scale * np.sqrt(ENERGY * block.weight / total * size / values.shape[1]))
        for block, values in blocks
    ]
    return np.concatenate(scaled, axis=1).astype(np.float32)


def texture_blocks(images: np.ndarray) -> dict[str, np.ndarray]:
    """The features by kind, before they are scaled: each (N, ...) float32."""
    planes = _planes(images)
    levels = [_magnitudes(level) for level in _pyramid(planes, LEVELS)]  # each (N, H, W, 3, directions)
    light = [level[:, :, :, 0] for level in levels]
    strength = np.stack([_cells(level) for level in levels], axis=-1)  # (N, 4, 4, 3, directions, levels)
    bands = strength[:, :, :, 0]
    whole = bands.mean(axis=(1, 2), keepdims=True)
    return {
        "colour": _cells(planes),
        "strength": np.sqrt(strength),
        "share": bands / (bands.sum(axis=(3, 4), keepdims=True) + SMALLEST_SHARE),
        "whole_share": whole / (whole.sum(axis=(3, 4), keepdims=True) + SMALLEST_SHARE),
        "second": np.sqrt(np.concatenate([*_second_order(light)], axis=-1)),
        "sparse": np.stack([_sparseness(level) for level in levels], axis=-1),
        "agreement": np.stack([_agreement(*pair) for pair in itertools.pairwise(light)], axis=-1),
    }


def _planes(images: np.ndarray) -> np.ndarray:
    """Luminance, red against green, yellow against blue: (N, SIDE, SIDE, 3) float32."""
    red, green, blue = np.moveaxis(squares(images, SIDE).astype(np.float32) / 255, -1, 0)
    return np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], axis=-1)


def _pyramid(maps: np.ndarray, levels: int) -> Iterator[np.ndarray]:
    """`maps` (N, H, W, ...), and the same at half the side, again and again."""
    for _ in range(levels):
        yield maps
        maps = _shrink(maps, maps.shape[1] // 2)


def _shrink(maps: np.ndarray, side: int) -> np.ndarray:
    """The means of `maps` (N, H, W, ...) in side x side cells."""
    times = maps.shape[1] // side
    return maps.reshape(len(maps), side, times, side, times, *maps.shape[3:]).mean(axis=(2, 4))


def _cells(maps: np.ndarray) -> np.ndarray:
    return _shrink(maps, GRID)


def _filters() -> list[tuple[np.ndarray, np.ndarray]]:
    """The real and the imaginary part of a wave in each direction, (7, 7) float32: Morlet wavelets, which have no
    response to a constant."""
    down, across = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    found = []
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        along, beside = np.cos(angle) * across + np.sin(angle) * down, np.cos(angle) * down - np.sin(angle) * across
        envelope = np.exp(-(along**2 + (SLANT * beside) ** 2) / (2 * WIDTH**2))
        envelope /= envelope.sum()
        wave = envelope * np.exp(1j * FREQUENCY * along)
        wave -= envelope * wave.sum()
        found.append((wave.real.astype(np.float32), wave.imag.astype(np.float32)))
    return found


FILTERS = _filters()


def _magnitudes(maps: np.ndarray) -> np.ndarray:
    """The magnitudes of the filters' responses to `maps` (N, H, W, C): (N, H, W, C, directions) float32."""
    found = np.empty((*maps.shape, DIRECTIONS), np.float32)
    for index, picture in enumerate(maps):
        for direction, parts in enumerate(FILTERS):
            real, imaginary = (
                cv2.filter2D(picture, cv2.CV_32F, part, borderType=cv2.BORDER_REFLECT).reshape(picture.shape)
                for part in parts
            )
            found[index, ..., direction] = np.sqrt(real * real + imaginary * imaginary)
    return found


def _second_order(light: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Filters of all larger scales on the magnitudes of each scale (N, H, W, directions): (N, 4, 4, pairs)."""
    for number, magnitudes in enumerate(light[:-1]):
        for level in list(_pyramid(magnitudes, LEVELS - number))[1:]:
            found = _cells(_magnitudes(np.ascontiguousarray(level)))
            yield found.reshape(*found.shape[:3], -1)


def _sparseness(magnitudes: np.ndarray) -> np.ndarray:
    """The logarithm of the mean square over the squared mean of `magnitudes` (N, H, W, C, directions): (N, C,
    directions). It is about 0.24 for Gaussian noise, more for edges on smooth ground, 0 without a response."""
    mean, square = magnitudes.mean(axis=(1, 2)), (magnitudes**2).mean(axis=(1, 2))
    return np.log((square + SMALLEST**2) / (mean**2 + SMALLEST**2))


def _agreement(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """The correlation of the magnitudes of two neighbouring scales, (N, H, W, directions) each: (N, directions)."""
    fine, coarse = (maps - maps.mean(axis=(1, 2), keepdims=True) for maps in (_shrink(fine, coarse.shape[1]), coarse))
    product, squares_ = (fine * coarse).mean(axis=(1, 2)), [(maps**2).mean(axis=(1, 2)) for maps in (fine, coarse)]
    return product / np.sqrt((squares_[0] + SMALLEST**2) * (squares_[1] + SMALLEST**2))
