"""Thumbnails are compared by their averages first, with the same result."""

import numpy as np
import pytest

from pipeline.images import thumbnail_distances as module
from pipeline.images.thumbnail_distances import Thumbnail, Thumbnails, difference


def families(channels: int) -> np.ndarray:
    """Thumbnails of all degrees of difference, some of a single colour: (N, 16, 16, C) uint8."""
    random = np.random.default_rng(channels)
    centres = random.integers(0, 256, (6, 4, 4, channels)).repeat(4, axis=1).repeat(4, axis=2)
    noise = [random.normal(0, sigma, (16, 16, channels)) for sigma in np.linspace(0, 60, 20)]
    varied = [np.clip(centre + grain, 0, 255) for centre in centres for grain in noise]
    flat = [np.full((16, 16, channels), level) for level in (0, 1, 255)]
    return np.stack([*varied, *flat]).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("most", [0.03, 0.25])
def test_similar_is_a_difference_of_at_most(channels, most):
    every = families(channels)
    listed = Thumbnails(capacity=2)
    assert [listed.add(pixels) for pixels in every] == [*range(len(every))]
    places = np.random.default_rng(0).permutation(len(every))
    shares = []
    for pixels in every:
        expected = difference(every[places], pixels) <= most
        assert listed.similar(places, Thumbnail.of(pixels), most).tolist() == expected.tolist()
        shares.append(expected.mean())
    assert 0.01 < np.mean(shares) < 0.5


def test_few_of_those_that_are_not_similar_are_compared_by_their_pixels(monkeypatch):
    every = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3)).astype(np.uint8)
    listed = Thumbnails(300)
    for pixels in every:
        listed.add(pixels)
    monkeypatch.setattr(module, "_difference", lambda thumbnails, *_: pytest.fail(f"compared {len(thumbnails)}"))
    assert not listed.similar(np.arange(299), Thumbnail.of(every[299]), 0.03).any()
